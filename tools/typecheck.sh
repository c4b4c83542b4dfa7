#!/usr/bin/env bash
# Type checkers read folders, not run-time paths: give mypy the tree the wheel will have.
set -euo pipefail
cd "$(dirname "$0")/.."
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir "$tree/dovetail"
ln -s "$PWD"/src/dovetail/* "$PWD"/{arch,rtl,sim,models,sweeps,reports} "$tree/dovetail/"
MYPYPATH=$tree mypy --config-file pyproject.toml --strict -p dovetail "$@" |
  sed "s#^$tree/dovetail/##"

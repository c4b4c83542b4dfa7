"""The fake system, registered for the tests of this folder."""

from collections.abc import Iterator

import pytest

from dovetail import systems
from dovetail.tests.sweeps import fake_system


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[systems.System]:
    monkeypatch.setattr(systems, "_SYSTEMS", dict(systems._SYSTEMS))
    yield fake_system.add()

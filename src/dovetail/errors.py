"""Errors a user can act on.

Every message has three parts, in this order: what was wrong, with the offending value; the rule it
broke; what to change.  Assertions are for our own mistakes; these are for the user's.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class DovetailError(Exception):
    """Base of every error raised on purpose; the command line prints it and exits with 2."""


class ConfigError(DovetailError, ValueError):
    """A design point, sweep or technology table that cannot be used."""


class UnpricedError(ConfigError):
    """A design whose units no technology table prices; its time and events can still be had."""


class ShapeError(DovetailError, ValueError):
    """An array whose shape or dtype does not match the documented one."""


class TraceError(DovetailError, ValueError):
    """A network description or trace file that cannot be read."""


class StoreError(DovetailError):
    """A result store that cannot be read or written."""


class ToolError(DovetailError):
    """An external tool (g++, make, perl, sta, yosys) that is missing or failed."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``"did you mean X? "`` for the nearest of the ``known`` names, or nothing where none is near.

    Upper and lower case count as one, and the last part of a dotted name stands for the whole.
    """
    spelled = {one.lower(): one for one in known}
    wanted = name.lower()
    near = [one for one in spelled if wanted and one.endswith(f".{wanted}")]
    near = near or get_close_matches(wanted, spelled, n=1)
    return f"did you mean {spelled[near[0]]}? " if near else ""

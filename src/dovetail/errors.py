"""Errors a user can act on.

Every message has three parts, in this order: what was wrong, with the offending value; the rule it
broke; what to change.  Assertions are for our own mistakes; these are for the user's.
"""


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

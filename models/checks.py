"""Range checks of sizes that come from a user: one message for all of them."""

from __future__ import annotations

import reprlib

from dovetail.errors import TraceError

MAX_COUNT = (1 << 31) - 1
"""Largest size of anything in a trace."""


def check_count(value: object, *, what: str, least: int = 1, most: int, advice: str) -> int:
    """Return ``value`` if it is a whole number from ``least`` to ``most``.

    Parameters
    ----------
    value : object
        What the user gave; ``True`` and ``2.0`` are not whole numbers here.
    what : str
        Its name, with the file and line where there is one.
    least, most : int
        Smallest and largest value allowed.
    advice : str
        What to change, the end of the message.

    Raises
    ------
    TraceError
        Where it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise TraceError(
            f"{what}={reprlib.repr(value)} must be a whole number from {least} to {most}; {advice}"
        )
    return value

"""Off-chip memories: energy per bit, static power and bandwidth of one channel, with their sources.

``dram/drams.toml`` holds them.  Which one an engine is priced with is chosen at pricing time.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from math import ceil

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from dovetail.arch.costs import STRICT, Figure, Text
from dovetail.arch.tables import parse_table
from dovetail.errors import ConfigError, did_you_mean

__all__ = ["Dram", "dram", "drams"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Dram:
    """One kind of memory, by channel: what one buys at least.

    Attributes
    ----------
    title : str
        What a channel is.
    read_pj_per_bit, write_pj_per_bit : Figure
        Moving one bit, with what activating a row adds when it is read from end to end.
    static_w : Figure
        Of one channel, whether or not anything moves: standby and refresh.
    bandwidth_gb_s : Figure
        Peak of one channel, reads and writes together, 10^9 bytes a second.
    """

    title: Text
    read_pj_per_bit: Figure
    write_pj_per_bit: Figure
    static_w: Figure
    bandwidth_gb_s: Figure

    def channels(self, *, port_bits: int, clock_mhz: float) -> int:
        """Channels that a port needs, for one of its directions, so that it never waits.

        The engine's port moves a beat each way in a cycle; a DRAM channel carries both on one bus.
        Engines read far more than they write, so the port's width in one direction counts.
        """
        return ceil(port_bits / 8 * clock_mhz * 1e-3 / self.bandwidth_gb_s.value)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class _Drams:
    sources: dict[str, Text]
    drams: dict[str, Dram]


_ADAPTER: TypeAdapter[_Drams] = TypeAdapter(_Drams)


@cache
def _table() -> dict[str, Dram]:
    text = (files("dovetail.arch") / "dram" / "drams.toml").read_text(encoding="utf-8")
    return parse_table(_ADAPTER, text, origin="arch/dram/drams.toml").drams


def drams() -> tuple[str, ...]:
    """Names of the memories."""
    return tuple(sorted(_table()))


def dram(name: str) -> Dram:
    """Return the memory called ``name``, such as ``"lpddr4-3200"``."""
    if name not in _table():
        raise ConfigError(
            f"no DRAM named {name!r}; {did_you_mean(name, drams())}the DRAMs are "
            f"{', '.join(drams())}"
        )
    return _table()[name]

"""FPGAs that a design may have to fit: public limits, and what of them a design takes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from dovetail.errors import ConfigError, did_you_mean

__all__ = ["Device", "device", "devices"]


@dataclass(frozen=True, kw_only=True)
class Device:
    """One FPGA.

    Attributes
    ----------
    name, title : str
        What a person types, and the part with the board that carries it.
    family : str
        Family for synthesis, as in :data:`dovetail.rtl.fpga.FAMILIES`.
    limits : dict of str to int
        LUTs, flip-flops, CARRY8, DSPs, 36-kbit block RAMs and UltraRAMs, by the names of
        :attr:`dovetail.rtl.fpga.FpgaReport.resources`.
    source : str
        Where the limits are published.
    """

    name: str
    title: str
    family: str
    limits: Mapping[str, int]
    source: str

    def share(self, used: Mapping[str, float]) -> dict[str, float | None]:
        """Part of each limit that ``used`` takes; above 1 it does not fit.

        None where the device has none of a resource and the design needs some.
        """
        return {
            name: used[name] / limit if limit else (None if used[name] else 0.0)
            for name, limit in self.limits.items()
        }

    def overflow(self, used: Mapping[str, float]) -> dict[str, float]:
        """How much of each resource is missing; empty where the design fits.

        Fitting by count is necessary and not sufficient: placement and routing need room too.
        """
        return {
            name: used[name] - limit for name, limit in self.limits.items() if used[name] > limit
        }


@cache
def _devices() -> dict[str, Device]:
    table = tomllib.loads((files("dovetail.arch") / "devices.toml").read_text(encoding="utf-8"))
    return {
        name: Device(
            name=name,
            title=values.pop("title"),
            family=values.pop("family"),
            source=table["sources"][values.pop("source")],
            limits=values,
        )
        for name, values in table["devices"].items()
    }


def devices() -> tuple[str, ...]:
    """Names of all devices, smallest first."""
    return tuple(_devices())


def device(name: str) -> Device:
    """Return the device called ``name``, such as ``"zu3eg"``."""
    if name not in _devices():
        raise ConfigError(
            f"no device named {name!r}; {did_you_mean(name, _devices())}the devices are "
            f"{', '.join(_devices())}"
        )
    return _devices()[name]

"""Published accuracy of each variant of deformable convolution beside the fastest design for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import pandas as pd

from dovetail.arch.deform import preset
from dovetail.models.networks import network
from dovetail.sim.deform_system import EngineKind, frame_time
from dovetail.sweeps.deform_zu3eg import PUBLISHED_BOUND
from dovetail.sweeps.reproduction import published_figures

_FULL = "codenet-c-"
_NAMES = {
    "full-plain": "no offsets",
    "plain": "no offsets",
    "free": "free",
    "full-free": "free",
    "square": "square",
    "full-square": "square",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantCost:
    """One published accuracy, and the fastest point of a sweep that runs that network.

    Attributes
    ----------
    source : str
        Which set of published figures.
    metric : str
    variant : str
        Of the offsets, in words.
    full : bool
        Full 3x3 convolutions in the decoder, not depthwise ones.
    accuracy : float
    point : int
        Of the sweep.
    """

    source: str
    metric: str
    variant: str
    full: bool
    accuracy: float
    point: int


def variant_costs(points: pd.DataFrame, base: dict[str, object]) -> tuple[VariantCost, ...]:
    """Match the published accuracies with the points of a sweep.

    Parameters
    ----------
    points : DataFrame
        Simulated points: ``network``, ``frame_ms``, and the fields that the sweep varies.
    base : dict
        The sweep's base design, which gives those that it does not.
    """
    second = points["second"] if "second" in points else pd.Series(base["second"], points.index)
    unbounded = second.astype(str).str.contains("gather")
    bounds = points["engine.bound"] if "engine.bound" in points else None
    if bounds is None:
        return ()
    # The engine that runs the deformable convolutions has that bound; `full` alone has 1.
    buffered = second.isin(["full-1-port", "full-3-ports"])
    bounded = buffered | ((second == "none") & (bounds == PUBLISHED_BOUND))
    found = []
    for published in published_figures("deformable-conv")["variants"]:
        for name, wants, value in zip(
            published["networks"], published["bounded"], published["values"], strict=True
        ):
            network_name = "codenet-c" if name == "square" else _FULL + name
            runs = points["network"] == network_name
            if "plain" not in name:
                runs &= bounded if wants else unbounded
            rows = points[runs].sort_values(["frame_ms", "bram36"], kind="stable")
            if rows.empty:
                continue
            words = _NAMES[name] + (", bounded" if wants and name.endswith("free") else "")
            found.append(
                VariantCost(
                    source=published["label"],
                    metric=published["metric"],
                    variant=words,
                    full=name.startswith("full"),
                    accuracy=value,
                    point=int(rows.index[0]),
                )
            )
    return tuple(found)


@cache
def configurations() -> pd.DataFrame:
    """Frames a second of the five configurations against their published accuracy.

    Columns: ``configuration``, ``ap50``, ``paper`` (published frames a second), ``public`` (the
    model of the public engine), ``ours`` (this project's with three ports).
    """
    figures = published_figures("deformable-conv")
    rows = zip(
        figures["quantised_ap50"]["networks"],
        figures["quantised_ap50"]["values"],
        figures["frames"]["paper"],
        strict=True,
    )
    frame = pd.DataFrame(rows, columns=["configuration", "ap50", "paper"])
    return frame.assign(
        public=list(_rates(frame["configuration"], "public")),
        ours=list(_rates(frame["configuration"], "dovetail")),
    )


def _rates(names: Iterable[str], engine: EngineKind) -> Iterator[float]:
    for name in names:
        trace = network(f"codenet-{name}")
        yield frame_time(preset("codenet"), trace, engine=engine).frames_per_second

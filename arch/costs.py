"""Costs of a technology table: numbers that carry their source, uncertainty and node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid", strict=True)
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]


class Range(NamedTuple):
    """A value with its bounds."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Range:
        return Range(*(factor * value for value in self))

    def toward(self, other: Range, fraction: float) -> Range:
        """The point at ``fraction`` of the way to ``other``."""
        return Range(*(a + fraction * (b - a) for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Sourced:
    """One number; its unit is part of the name of the field that holds it.

    Attributes
    ----------
    value : float
    source : str
        Where the number comes from and under which conditions.
    """

    value: Positive
    source: Text

    @field_validator("source", mode="after")
    @classmethod
    def _resolve(cls, source: str, info: ValidationInfo) -> str:
        """A table names its sources once, in ``[sources]``."""
        if not isinstance(info.context, dict):
            return source
        sources: Mapping[str, str] = info.context["sources"]
        if source not in sources:
            raise ValueError(f"source {source!r} is not in [sources]; add it there, as text")
        return sources[source]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Figure(Sourced):
    """A number with its uncertainty.

    Attributes
    ----------
    node_nm : float, optional
        Feature size of the technology that the number belongs to; absent off the chip.
    uncertainty : float, optional
        Relative; the true value is taken to lie within ``value * (1 -+ uncertainty)``.
    low, high : float, optional
        Bounds, instead of ``uncertainty``.
    """

    node_nm: Positive | None = None
    uncertainty: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    low: Positive | None = None
    high: Positive | None = None

    @model_validator(mode="after")
    def _check(self) -> Figure:
        if (self.uncertainty is None) == (self.low is None and self.high is None):
            raise ValueError(
                "has no single uncertainty; give either uncertainty, relative such as 0.2, "
                "or low and high"
            )
        if self.uncertainty is None:
            if self.low is None or self.high is None or not self.low <= self.value <= self.high:
                raise ValueError(
                    f"low={self.low}, high={self.high} must be two bounds around "
                    f"value={self.value}; correct them"
                )
        return self

    @property
    def range(self) -> Range:
        if self.low is not None and self.high is not None:
            return Range(self.value, self.low, self.high)
        assert self.uncertainty is not None
        return Range(
            self.value, self.value * (1 - self.uncertainty), self.value * (1 + self.uncertainty)
        )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class UnitCost:
    """One logic unit, as built for one ``max_group``, depth or sum format where it depends on one.

    Attributes
    ----------
    component : str
        What was synthesised, so that anyone can repeat it.
    sum_format : str, optional
        Format of an engine's sums that it was built for; absent where it fits all.
    max_group : int, optional
        Longest group that it was built for; absent where the unit does not depend on it.
    depth : int, optional
        Segments in flight that it was built for; absent where the unit does not depend on them.
    area_um2 : Figure
    data_pj_per_op : Figure
        Dynamic energy of one operation on operands of a real workload, without that of the clock
        pins: what pricing uses.
    random_pj_per_op, zero_pj_per_op : Figure, optional
        The same on uniformly random operands and on zeros: how much activity matters.
    clock_pj_per_cycle : Figure, optional
        Energy of the clock pins, spent in every cycle; absent where ``combinational``.
    leakage_nw : Figure
    delay_ns : Figure
        Longest path, register to register, of the netlist that was sized for the table's clock.
    combinational : bool
        The unit has no register.
    """

    component: Text
    sum_format: Literal["fp16", "fp32"] | None = None
    max_group: Annotated[int, Field(gt=0)] | None = None
    depth: Annotated[int, Field(gt=0)] | None = None
    area_um2: Figure
    data_pj_per_op: Figure
    random_pj_per_op: Figure | None = None
    zero_pj_per_op: Figure | None = None
    clock_pj_per_cycle: Figure | None = None
    leakage_nw: Figure
    delay_ns: Figure
    combinational: bool = False

    @model_validator(mode="after")
    def _check(self) -> UnitCost:
        if self.combinational == (self.clock_pj_per_cycle is not None):
            raise ValueError(
                "needs clock_pj_per_cycle, or combinational = true where it has no register, "
                "and not both"
            )
        for name, figure in vars(self).items():
            if isinstance(figure, Figure) and figure.node_nm is None:
                raise ValueError(f"{name}.node_nm is missing; add the node of the library")
        return self

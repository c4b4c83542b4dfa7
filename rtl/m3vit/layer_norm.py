"""Layer norm in one pass over a token: its statistics, and what they make of each value."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.formats import BIAS, FEATURE, RSTD, SQUARE_FRACTION_BITS
from dovetail.arch.m3vit.tables import EPSILON, mean_factor
from dovetail.rtl.m3vit.inverse_root import VARIANCE_BITS, InverseRoot
from dovetail.rtl.skew import delayed

__all__ = ["NormaliseFeature", "TokenStatistics"]

_SQUARE_SHIFT = 2 * FEATURE.fraction_bits - SQUARE_FRACTION_BITS


class TokenStatistics(wiring.Component):
    """Mean and inverse standard deviation of the ``width`` values of a token.

    Values arrive ``lanes`` at a time, tokens one after the other.  Sums of values and of squares
    are exact; a mean is a sum times the factor of
    :func:`dovetail.arch.m3vit.tables.mean_factor`, shifted.

    :Latency: 7 cycles from a token's last values to its ``mean`` and ``rstd``.
    :Throughput: ``lanes`` values per cycle, without a gap between tokens.
    :Ready path: none.
    :Reference: :func:`dovetail.models.m3vit.fixed_norm.fixed_layer_norm`.

    Parameters
    ----------
    width : int
        Values of a token.
    lanes : int
        Values of a cycle; a last one that is not full carries zeros.

    Members
    -------
    valid, first, last : unsigned(1)
        Values arrive; they are a token's first, or last.
    i : lanes x signed(32)
        fixed<32,10>.
    done : unsigned(1)
        ``mean`` and ``rstd`` are those of a token, in this cycle.
    mean : signed(32)
    rstd : unsigned(32)
        ufixed<32,10>.
    """

    latency_cycles = 3 + InverseRoot.latency_cycles

    def __init__(self, *, width: int, lanes: int) -> None:
        self._width = width
        super().__init__(
            {
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                "i": In(data.ArrayLayout(signed(FEATURE.bits), lanes)),
                "done": Out(1),
                "mean": Out(signed(FEATURE.bits)),
                "rstd": Out(RSTD.bits),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.inverse_root = inverse_root = InverseRoot()
        factor, shift = mean_factor(self._width)
        grown = (self._width - 1).bit_length()
        lanes: list[Value] = list(self.i)
        total = Signal(signed(FEATURE.bits + grown), reset_less=True)
        squares = Signal(2 * FEATURE.bits - 1 - _SQUARE_SHIFT + grown, reset_less=True)
        with m.If(self.valid):
            m.d.sync += [
                total.eq(Mux(self.first, 0, total) + sum(lanes)),
                squares.eq(
                    Mux(self.first, 0, squares)
                    + sum((x * x).as_unsigned() >> _SQUARE_SHIFT for x in lanes)
                ),
            ]
        mean = Signal(signed(FEATURE.bits), reset_less=True)
        square = Signal(len(squares), reset_less=True)
        excess = Signal(signed(len(squares) + 1))
        variance = Signal(VARIANCE_BITS, reset_less=True)
        m.d.comb += [
            excess.eq(square - ((mean * mean).as_unsigned() >> _SQUARE_SHIFT)),
            inverse_root.i.eq(variance),
            self.rstd.eq(inverse_root.o),
        ]
        m.d.sync += [
            mean.eq((total * factor) >> shift),
            square.eq((squares * factor) >> shift),
            variance.eq(Mux(excess < 0, 0, excess) + EPSILON),
        ]
        later: Any = delayed(m, mean, 1 + inverse_root.latency_cycles, name="mean")
        done: Any = delayed(m, self.valid & self.last, self.latency_cycles, name="done")
        m.d.comb += [self.mean.eq(later), self.done.eq(done)]
        return m


class NormaliseFeature(wiring.Component):
    """``o = ((((i - mean) * rstd) >> 22) * gamma + (beta << 22)) >> 11``.

    :Latency: 3 cycles.
    :Throughput: one value per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.m3vit.fixed_norm.fixed_layer_norm`.

    Members
    -------
    i, mean : signed(32)
        fixed<32,10>.
    rstd : unsigned(32)
        ufixed<32,10>.
    gamma, beta : signed(16)
        fixed<16,5>.
    o : signed(32)
    """

    latency_cycles = 3

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(signed(FEATURE.bits)),
                "mean": In(signed(FEATURE.bits)),
                "rstd": In(RSTD.bits),
                "gamma": In(signed(BIAS.bits)),
                "beta": In(signed(BIAS.bits)),
                "o": Out(signed(FEATURE.bits)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        centred = Signal(signed(FEATURE.bits), reset_less=True)
        unit = Signal(signed(FEATURE.bits), reset_less=True)
        rstd: Any = delayed(m, self.rstd, 1, name="rstd")
        gamma: Any = delayed(m, self.gamma, 2, name="gamma")
        beta: Any = delayed(m, self.beta, 2, name="beta")
        m.d.sync += [
            centred.eq(self.i - self.mean),
            unit.eq((centred * rstd) >> RSTD.fraction_bits),
            self.o.eq((unit * gamma + (beta << FEATURE.fraction_bits)) >> BIAS.fraction_bits),
        ]
        return m

"""The precompute unit for floating point: a step's activations to a table of FP16 sums."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Value, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.number_formats import FP16
from dovetail.rtl.floating.fp8 import Fp8ToFp16
from dovetail.rtl.floating.fused_add import FusedAdd
from dovetail.rtl.floating.products import FloatPass
from dovetail.rtl.lut.table import entries, float_table, full_float_table
from dovetail.rtl.skew import delayed

__all__ = ["FloatFullPrecompute", "FloatPrecompute"]


class _FloatSums(wiring.Component):
    """Base: activations as FP16, and sums of them a cycle later.

    Attributes
    ----------
    cycles : int
        One for each addition of ``lut_k`` activations.
    """

    def __init__(self, table: data.ArrayLayout, *, lut_k: int, activation_bits: int) -> None:
        self._fp8 = activation_bits == 8
        self.cycles = lut_k - 1
        super().__init__(
            {
                "i": In(data.ArrayLayout(unsigned(activation_bits), lut_k)),
                "o": Out(table),
            }
        )

    def _activation(self, m: Module, k: int) -> Value:
        if not self._fp8:
            return Value.cast(self.i[k])
        m.submodules[f"convert_{k}"] = convert = Fp8ToFp16()
        m.d.comb += convert.i.eq(self.i[k])
        return convert.o

    def _sum(self, m: Module, x: Value, y: Value, *, name: str) -> Value:
        """Rounded sum of two FP16 numbers one cycle later."""
        m.submodules[f"{name}_pass"] = exact = FloatPass(FP16)
        m.submodules[f"{name}_add"] = add = FusedAdd(exact.exact, FP16)
        m.d.comb += [exact.a.eq(y), add.accumulator.eq(x), add.exact.eq(exact.o)]
        return Value.cast(delayed(m, add.o, 1, name=name, reset_less=True))


class FloatPrecompute(_FloatSums):
    """``T[i] = (±a[0] ± a[1] ± ...) - a[K-1]``, k ascending, each addition rounded to FP16.

    The first ``j`` activations are summed once for all entries that begin with them; where
    ``a[0]`` is subtracted, a sum is the negative of another one.  So an entry that is zero may
    be minus zero, which no sum of entries can tell from zero.

    :Latency: ``cycles`` = ``lut_k`` - 1, one for each addition.
    :Throughput: one table per cycle.
    :Ready path: none; a table stays as long as the activations do.
    :Reference: :func:`dovetail.models.floating.rounded_sum`, term after term.

    Parameters
    ----------
    lut_k : int
        Activations of a step, 2 to 8.
    activation_bits : int
        16 for FP16, 8 for FP8 (E4M3), which is converted to FP16 exactly.

    Members
    -------
    i : ArrayLayout(unsigned(activation_bits), lut_k)
        Bit patterns, k index 0 in the low bits.
    o : float_table(lut_k, FP16)
    """

    def __init__(self, *, lut_k: int, activation_bits: int = 16) -> None:
        self._entries = entries(lut_k)
        super().__init__(float_table(lut_k, FP16), lut_k=lut_k, activation_bits=activation_bits)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        activations = [self._activation(m, k) for k in range(self.cycles + 1)]
        # Of the activations so far, with the first one added; the index has the other signs.
        sums = [activations[0]]
        for k in range(1, self.cycles):
            at = delayed(m, activations[k], k - 1, name=f"a{k}", reset_less=True)
            # The bit of activation k is above those of the ones before it.
            sums = [
                self._sum(m, value, _signed(at, negative), name=f"sum_{k}_{int(not negative)}_{i}")
                for negative in (True, False)
                for i, value in enumerate(sums)
            ]
        last = delayed(m, activations[-1], self.cycles - 1, name="a_last", reset_less=True)
        for index in range(self._entries):
            begins = index & 1  # 1: a[0] is added
            others = index >> 1
            if not begins:
                others ^= len(sums) - 1
            total = self._sum(
                m, _signed(sums[others], not begins), _signed(last, True), name=f"entry_{index}"
            )
            m.d.comb += self.o[index].eq(total)
        return m


class FloatFullPrecompute(_FloatSums):
    """The sum of each subset of the activations, k ascending, each addition rounded to FP16.

    :Latency: ``cycles`` = ``lut_k`` - 1, one for each addition.
    :Throughput: one table per cycle.
    :Ready path: none; a table stays as long as the activations do.
    :Reference: :func:`dovetail.models.floating.rounded_sum`, term after term; +0 for no term.

    Parameters
    ----------
    lut_k, activation_bits
        As of :class:`FloatPrecompute`.

    Members
    -------
    i : ArrayLayout(unsigned(activation_bits), lut_k)
        Bit patterns, k index 0 in the low bits.
    o : full_float_table(lut_k, FP16)
    """

    def __init__(self, *, lut_k: int, activation_bits: int = 16) -> None:
        super().__init__(
            full_float_table(lut_k, FP16), lut_k=lut_k, activation_bits=activation_bits
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        table: list[Value] = [Const(0, FP16.bits), self._activation(m, 0)]
        for k in range(1, self.cycles + 1):
            a = delayed(m, self._activation(m, k), k - 1, name=f"a{k}", reset_less=True)
            alone = delayed(m, a, 1, name=f"alone_{k}", reset_less=True)
            sums = [
                self._sum(m, value, a, name=f"sum_{k}_{index}")
                for index, value in enumerate(table[1:], start=1)
            ]
            kept = [
                delayed(m, value, 1, name=f"kept_{k}_{index}", reset_less=True)
                for index, value in enumerate(table[1:], start=1)
            ]
            table = [table[0], *kept, alone, *sums]
        m.d.comb += [entry.eq(value) for entry, value in zip(self.o, table, strict=True)]
        return m


def _signed(bits: Value, negative: bool) -> Value:
    return Cat(bits[:-1], ~bits[-1]) if negative else bits

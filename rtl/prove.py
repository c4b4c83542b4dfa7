"""Formal proofs of the blocks whose arithmetic is written in an unusual way.

Each block stands in a miter beside a plain specification of itself; Yosys' SAT solver shows that
the two cannot differ, for any operands, or finds operands for which they do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.errors import ToolError
from dovetail.rtl.mixpe.pe import MixpePe, ShiftAddProduct
from dovetail.rtl.rounding import RoundingShift
from dovetail.rtl.verilog import rtlil_modules
from dovetail.rtl.yosys import run_yosys

__all__ = [
    "Miter",
    "PeStepMiter",
    "ProductMiter",
    "RoundingMiter",
    "prove",
    "prove_pe_step",
    "prove_rounding_shift",
    "prove_shift_add",
]

# Yosys' words where the solver found operands, or a state, that contradict the claim.
_REFUTED = "Called with -verify and proof did fail!"


class Miter(wiring.Component):
    """A block and its specification with the same inputs.

    Attributes
    ----------
    claim : str
        What holds if the proof succeeds.
    equations : dict of str to str
        Signals that must be equal, by name in the flattened miter.
    has_state : bool
        The equations hold from reset on and, if they hold in one cycle, in the next.
    cases : sequence of dict of str to int
        Inputs that are set, one case after the other; together they are all values of those inputs.
    """

    claim: str
    equations: Mapping[str, str]
    has_state = False
    cases: Sequence[Mapping[str, int]] = ({},)


def prove(miter: Miter) -> None:
    """Prove the equations of ``miter`` for all operands (and, with state, in all cycles).

    Raises
    ------
    ToolError
        Where they do not hold; the message states operands for which they do not.
    """
    command = ["sat", "-verify", "-show-ports"]
    if miter.has_state:
        command += ["-tempinduct", "-maxsteps", "1"]
    for name, value in miter.equations.items():
        command += ["-prove", name, value]
    with tempfile.TemporaryDirectory(prefix="dovetail-prove-") as name:
        folder = Path(name)
        commands = []
        for index, text in enumerate(rtlil_modules(miter, name="miter")):
            (folder / f"{index}.il").write_text(text)
            commands.append(f"read_rtlil {index}.il")
        commands += ["hierarchy -check -top miter", "proc", "flatten"]
        if not miter.has_state:
            commands.append("delete */t:$*dff*")  # registers hold anything
        for case in miter.cases:
            given = [f"-set {name} {value}" for name, value in case.items()]
            commands.append(f"tee -o proof.log {' '.join([*command, *given, 'miter'])}")
        try:
            run_yosys(commands, folder=folder)
        except ToolError as error:
            if _REFUTED not in str(error):
                raise
            example = _counterexample((folder / "proof.log").read_text())
            raise ToolError(
                f"refuted: {miter.claim}; counterexample {example}; correct the block"
            ) from None


def _counterexample(log: str) -> str:
    """The solver's table of signals in one line; of several cycles, each value with its cycle."""
    header = log[log.rindex("Signal Name") :].splitlines()
    in_time = "Time" in log[: log.rindex("Signal Name")].splitlines()[-1]
    values = []
    for line in header[2:]:
        fields = line.split()
        if not fields:
            break
        cycle, fields = (f" in cycle {fields[0]}", fields[1:]) if in_time else ("", fields)
        if fields[0].startswith("\\"):
            values.append(f"{fields[0][1:]}=0x{fields[2]}{cycle}")
    return ", ".join(values)


class ProductMiter(Miter):
    """A shift-and-add product beside the multiplication operator.

    Parameters
    ----------
    product : ShiftAddProduct
        Or what has the same ports.
    """

    claim = "o = a * w for every INT8 a and every signed and unsigned 4-bit w"
    equations = {"o": "want"}

    def __init__(self, product: Any) -> None:
        self._product = product
        super().__init__(
            {
                "a": In(signed(8)),
                "w": In(4),
                "signed_weight": In(1),
                "o": Out(signed(12)),
                "want": Out(signed(12)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.product = product = self._product
        m.d.comb += [
            product.a.eq(self.a),
            product.w.eq(self.w),
            product.signed_weight.eq(self.signed_weight),
            self.o.eq(product.o),
        ]
        with m.If(self.signed_weight):
            m.d.comb += self.want.eq(self.a * self.w.as_signed())
        with m.Else():
            m.d.comb += self.want.eq(self.a * self.w)
        return m


class PeStepMiter(Miter):
    """A MixPE PE beside a multiply-accumulate register and a drain register.

    Parameters
    ----------
    pe : MixpePe
        Or what has the same ports and calls its accumulator ``accumulator``.
    """

    claim = "a PE accumulates a * w, keeps its sum until it drains, and passes operands on"
    has_state = True
    equations = {
        # The sum may stay hidden for any number of cycles, so it belongs to the induction.
        "pe.accumulator": "accumulator",
        "pe.a_o": "a_o",
        "pe.w_o": "w_o",
        "pe.control_o": "control_o",
        "pe.shift_o": "shift_o",
        "pe.sum_o": "sum_o",
    }

    _DATA = ("a_o", "w_o", "accumulator", "sum_o")

    def __init__(self, pe: MixpePe) -> None:
        self._pe = pe
        total = Out(pe.sum_shape)
        super().__init__({**pe.signature.members, "accumulator": total})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.pe = pe = self._pe
        for name, member in pe.signature.members.items():
            if member.flow is In:
                m.d.comb += getattr(pe, name).eq(getattr(self, name))
        control: Any = self.control_i
        product = Signal(signed(12))
        total = Signal(pe.sum_shape)
        m.d.comb += [
            product.eq(self.a_i.as_signed() * Mux(control.signed, self.w_i.as_signed(), self.w_i)),
            total.eq(Mux(control.first, product, self.accumulator + product)),
        ]
        m.d.sync += [
            self.control_o.eq(self.control_i),
            self.shift_o.eq(self.shift_i | self.drain_i),
        ]
        # The PE does not reset its data.
        data = {name: Signal.like(getattr(self, name), reset_less=True) for name in self._DATA}
        m.d.comb += [getattr(self, name).eq(register) for name, register in data.items()]
        m.d.sync += [data["a_o"].eq(self.a_i), data["w_o"].eq(self.w_i)]
        with m.If(self.shift_i | self.drain_i):
            m.d.sync += data["sum_o"].eq(self.sum_i)
        with m.If(control.valid):
            m.d.sync += data["accumulator"].eq(total)
            with m.If(control.last):
                m.d.sync += data["sum_o"].eq(total)
        return m


class RoundingMiter(Miter):
    """A rounding shift beside its other form: add half less one and the quotient's low bit.

    Parameters
    ----------
    rounding : RoundingShift
        Or what has the same ports.
    """

    claim = "o = i / 2**shift, rounded half to even and saturated, for every i and shift"
    equations = {"o": "want"}

    def __init__(self, rounding: Any) -> None:
        self._rounding = rounding
        members = rounding.signature.members
        super().__init__(
            {
                "i": In(members["i"].shape),
                "shift": In(members["shift"].shape),
                "o": Out(members["o"].shape),
                "want": Out(members["o"].shape),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.rounding = rounding = self._rounding
        m.d.comb += [
            rounding.i.eq(self.i),
            rounding.shift.eq(self.shift),
            self.o.eq(rounding.o),
        ]
        in_bits, out_bits = len(self.i), len(self.o)
        low, high = -(1 << (out_bits - 1)), (1 << (out_bits - 1)) - 1
        quotient = Signal(signed(in_bits + 1))
        with m.Switch(self.shift):
            with m.Case(0):
                m.d.comb += quotient.eq(self.i)
            for shift in range(1, in_bits):
                with m.Case(shift):
                    below_half = (1 << (shift - 1)) - 1
                    m.d.comb += quotient.eq((self.i + below_half + self.i[shift]) >> shift)
            with m.Default():  # not an amount that the block knows
                m.d.comb += self.want.eq(rounding.o)
        with m.If(self.shift < in_bits):
            m.d.comb += self.want.eq(quotient)
            with m.If(quotient < low):
                m.d.comb += self.want.eq(low)
            with m.If(quotient > high):
                m.d.comb += self.want.eq(high)
        return m


def prove_shift_add() -> None:
    """Prove that MixPE's product is the product, for all 2^13 combinations of its inputs."""
    prove(ProductMiter(ShiftAddProduct()))


def prove_pe_step(*, sum_bits: int) -> None:
    """Prove by induction that MixPE's PE accumulates the product, in every cycle after reset.

    Parameters
    ----------
    sum_bits : int
        Width of the accumulator.
    """
    prove(PeStepMiter(MixpePe(sum_bits=sum_bits)))


def prove_rounding_shift(*, in_bits: int, out_bits: int) -> None:
    """Prove that the rounding shift rounds half to even and saturates.

    Parameters
    ----------
    in_bits, out_bits : int
        Widths of its signed input and output.
    """
    prove(RoundingMiter(RoundingShift(in_bits=in_bits, out_bits=out_bits)))

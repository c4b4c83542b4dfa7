"""A multiplier beside shift-and-add, with nothing but an accumulator: what a fixed sign does.

``python -m tools.bare_pe --liberty F --clock-mhz C`` prints areas.  PEs of the technology tables
take weights with a sign and without; here all weights may also be two's complement.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from amaranth import Cat, Const, Module, Mux, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.rtl.mixpe.pe import ShiftAddProduct
from dovetail.rtl.synth import synthesize

SUM_BITS = 24


class BarePe(wiring.Component):
    """``o += a * w``, with no register but the sum.

    Parameters
    ----------
    shift_add : bool
        Shift-and-add instead of a multiplier.
    either_sign : bool
        ``signed_weight`` says whether a weight is two's complement; else all are.
    """

    def __init__(self, *, shift_add: bool, either_sign: bool) -> None:
        self._shift_add = shift_add
        self._either_sign = either_sign
        super().__init__(
            {
                "a": In(signed(8)),
                "w": In(4),
                "signed_weight": In(1),
                "clear": In(1),
                "o": Out(signed(SUM_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sign: Value = self.signed_weight if self._either_sign else Const(1)
        product: Value
        if self._shift_add:
            m.submodules.shift_add = shift_add = ShiftAddProduct()
            m.d.comb += [
                shift_add.a.eq(self.a),
                shift_add.w.eq(self.w),
                shift_add.signed_weight.eq(sign),
            ]
            product = shift_add.o
        elif self._either_sign:
            product = self.a * Cat(self.w, sign & self.w[3]).as_signed()
        else:
            product = self.a * self.w.as_signed()
        m.d.sync += self.o.eq(Mux(self.clear, 0, self.o) + product)
        return m


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.bare_pe")
    parser.add_argument("--liberty", type=Path, action="append", required=True)
    parser.add_argument("--clock-mhz", type=float, default=500.0)
    options = parser.parse_args()
    print("| weights | multiplier, um2 | shift-and-add, um2 |\n|---|---|---|")
    for either_sign in (False, True):
        areas = [
            synthesize(
                BarePe(shift_add=shift_add, either_sign=either_sign),
                name="bare",
                liberty=options.liberty,
                clock_mhz=options.clock_mhz,
                thorough=False,
            ).area_um2
            for shift_add in (False, True)
        ]
        title = "either sign" if either_sign else "signed"
        print(f"| {title} | {' | '.join(f'{area:.4g}' for area in areas)} |")


if __name__ == "__main__":
    main()

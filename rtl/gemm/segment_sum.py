"""What every processing element does after its product: sum over a segment, and drain the sum."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SegmentSum"]


class SegmentSum(wiring.Component):
    """Base of what accumulates products over a segment and hands the sum to a drain chain.

    The finished sum is copied to a drain register, so the next segment accumulates while the column
    shifts its results down.  A sum that arrives in the same cycle wins over the shift: the
    register's old content has moved on by then, as long as segments end ``rows`` cycles apart.

    Parameters
    ----------
    members : dict of str to wiring.Member
        Ports besides those of the drain chain, in front of them.
    sum_shape : Shape
        Of the accumulator.
    drains : bool
        Has a drain chain; else ``sum_o`` is the accumulator, and the chain's ports are missing.

    Members
    -------
    drain_i, shift_i, shift_o : unsigned(1)
        The drain register takes ``sum_i`` where ``drain_i`` or ``shift_i`` is high; ``shift_o``
        says one cycle later that it did.
    sum_i, sum_o : sum_shape
        Drain chain from above and to below.
    """

    def __init__(
        self, members: dict[str, wiring.Member], *, sum_shape: Shape, drains: bool = True
    ) -> None:
        self.sum_shape = sum_shape
        self.drains = drains
        self.shift = Signal(name="shift")  # the drain register takes ``sum_i``
        self._total = Signal(sum_shape, name="total")
        # Data need no reset: control says when they count.
        self._accumulator = Signal(sum_shape, name="accumulator", reset_less=True)
        self._drained = Signal(sum_shape, name="drained", reset_less=True)
        chain = {
            "drain_i": In(1),
            "shift_i": In(1),
            "shift_o": Out(1),
            "sum_i": In(sum_shape),
        }
        super().__init__({**members, **(chain if drains else {}), "sum_o": Out(sum_shape)})

    def product(self, m: Module) -> Any:
        """What is added to the sum in the cycle of the control that goes with it."""
        raise NotImplementedError

    def add(self, m: Module, accumulated: Value, product: Any) -> Value:
        """Combinational sum of the accumulator, 0 at first, and a product."""
        return accumulated + product

    def accumulation(self, m: Module, control: Any) -> list[Any]:
        """Combinational statements of one addition.

        Parameters
        ----------
        m : Module
            Gets what :meth:`product` and :meth:`add` need.
        control : data.View
            ``valid``, ``first`` and ``last`` of the product's cycle.
        """
        accumulated = Signal(self.sum_shape)
        statements = [
            self.sum_o.eq(self._drained if self.drains else self._accumulator),
            accumulated.eq(Mux(control.first, 0, self._accumulator)),
            self._total.eq(self.add(m, accumulated, self.product(m))),
        ]
        if self.drains:
            statements.append(self.shift.eq(self.shift_i | self.drain_i))
        return statements

    def store(self, m: Module, control: Any) -> None:
        """Registers of the sum and of the drain chain."""
        with m.If(control.valid):
            m.d.sync += self._accumulator.eq(self._total)
        if self.drains:
            with m.If(control.valid & control.last):
                m.d.sync += self._drained.eq(self._total)
            with m.Elif(self.shift):
                m.d.sync += self._drained.eq(self.sum_i)

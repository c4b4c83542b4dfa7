"""The physical memories of an engine, as its RTL builds them: what is priced as SRAM.

An operand scratchpad is one memory (:mod:`dovetail.rtl.gemm.spad`): both halves' rows in it, one
read and one write port, a write of one DRAM beat by enables.  Accumulators are two memories in each
column (:mod:`dovetail.rtl.gemm.accumulators`), of which one is read and one is written at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.arch.spad import SpadShape

__all__ = ["Memory", "memories"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Equal memories of an engine that are read together and written together.

    Attributes
    ----------
    component : str
        Line of the energy and area breakdown.
    read, write : Event
        One count accesses ``together`` memories.
    count, together : int
        Memories there are, and memories that one access reads or writes.
    words, word_bits : int
        Of one memory.
    written_bits : int
        Bits of a word that a write changes; the rest keep their enables low.
    """

    component: str
    read: Event
    write: Event
    count: int
    together: int
    words: int
    word_bits: int
    written_bits: int

    @property
    def capacity_bytes(self) -> int:
        """Of one memory."""
        return -(-self.words * self.word_bits // 8)


def memories(engine: GemmEngineConfig) -> tuple[Memory, ...]:
    """Every memory of ``engine``."""
    columns = Memory(
        component="accumulator_spad",
        read=Event.ACCUMULATOR_READ,
        write=Event.ACCUMULATOR_WRITE,
        count=2 * engine.cols,
        together=engine.cols,
        words=engine.accumulator_half_tiles * engine.rows,
        word_bits=engine.accumulator_bits,
        written_bits=engine.accumulator_bits,
    )
    return (
        _operand(
            "activation_spad", engine.activation, Event.ACTIVATION_READ, Event.ACTIVATION_WRITE
        ),
        _operand("weight_spad", engine.weight, Event.WEIGHT_READ, Event.WEIGHT_WRITE),
        _operand("scale_spad", engine.scale, Event.SCALE_READ, Event.SCALE_WRITE),
        columns,
    )


def _operand(component: str, shape: SpadShape, read: Event, write: Event) -> Memory:
    return Memory(
        component=component,
        read=read,
        write=write,
        count=1,
        together=1,
        words=2 * shape.half_rows,
        word_bits=shape.row_bits,
        written_bits=shape.beat_bits,
    )

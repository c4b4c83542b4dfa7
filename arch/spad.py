"""How a double-buffered scratchpad is organised: slices of operands in words and rows."""

from __future__ import annotations

from pydantic.dataclasses import dataclass


def power_of_two(value: int) -> int:
    """Return the smallest power of two that is at least ``value``."""
    return 1 << (value - 1).bit_length()


def is_power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


@dataclass(frozen=True, kw_only=True)
class SpadShape:
    """How one double-buffered scratchpad is organised.

    Attributes
    ----------
    slice_bits : int
        What one step (one group, for scales) of one block of rows or columns takes.
    word_bits : int
        What the core reads in one cycle.
    row_bits : int
        Width of the memory: the wider of word and DRAM beat.
    half_rows : int
        Rows of each of the two halves.
    beat_bits : int
        Width of the DRAM port.
    """

    slice_bits: int
    word_bits: int
    row_bits: int
    half_rows: int
    beat_bits: int

    @property
    def slices_per_row(self) -> int:
        return self.row_bits // self.slice_bits

    @property
    def beats_per_row(self) -> int:
        return self.row_bits // self.beat_bits

    @property
    def words_per_row(self) -> int:
        return self.row_bits // self.word_bits

    @property
    def slices_per_word(self) -> int:
        return self.word_bits // self.slice_bits

    def rows(self, first_slice: int, slices: int) -> int:
        """Rows that slices ``first_slice .. first_slice + slices - 1`` of a block touch."""
        if slices == 0:
            return 0
        last = (first_slice + slices - 1) // self.slices_per_row
        return last - first_slice // self.slices_per_row + 1

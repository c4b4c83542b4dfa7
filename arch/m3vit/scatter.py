"""Cycles from the linear engine to memory, of results that pass and of those that are added."""

from __future__ import annotations

__all__ = ["ADDRESS_CYCLES", "PLAIN_CYCLES", "add_cycles"]

ADDRESS_CYCLES = 3
"""From a place in a queue to its token's address: look up, subtract, multiply."""

PLAIN_CYCLES = ADDRESS_CYCLES + 2
"""Of a beat that only passes: address, queue, register."""


def add_cycles(dram_latency_cycles: int) -> int:
    """Of a beat that is added: address, then the old value from memory, register."""
    return ADDRESS_CYCLES + 1 + dram_latency_cycles

"""The memory ports of a block's engine, each for several parts that take turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth import Module, Value

__all__ = ["READ_PORTS", "share_reads", "share_writes"]

READ_PORTS = (
    ("command", "read"),
    ("weight_command", "weight_read"),
    ("sum_command", "sum_read"),
)
"""Streams of commands and data of each read port that the engines of blocks have."""


def share_reads(
    m: Module, *, command: Any, read: Any, users: Sequence[tuple[Value, Any, Any]]
) -> None:
    """Connect commands and data of the part whose turn it is.

    A part's turn ends only when all data that it asked for have come.

    Parameters
    ----------
    m : Module
    command : Out(stream of address and beats)
    read : In(stream of beats)
    users : sequence of (Value, stream, stream)
        Whether it is this one's turn, at most one's at a time; its commands, which may have more
        fields, and its data.
    """
    to: Any = command.payload
    for turn, asks, takes in users:
        m.d.comb += takes.payload.eq(read.payload)
        with m.If(turn):
            m.d.comb += [
                command.valid.eq(asks.valid),
                to.address.eq(asks.payload.address),
                to.beats.eq(asks.payload.beats),
                asks.ready.eq(command.ready),
                takes.valid.eq(read.valid),
                read.ready.eq(takes.ready),
            ]


def share_writes(m: Module, *, write: Any, users: Sequence[tuple[Value, Any]]) -> None:
    """Connect the beats of the part whose turn it is; streams of address and data."""
    to: Any = write.payload
    for turn, gives in users:
        with m.If(turn):
            m.d.comb += [
                write.valid.eq(gives.valid),
                to.address.eq(gives.payload.address),
                to.data.eq(gives.payload.data),
                gives.ready.eq(write.ready),
            ]

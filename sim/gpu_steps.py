"""The kernels of a network on a GPU, and who makes the activations that each GEMM reads.

A trace has operators in program order and no names of tensors; what a GEMM reads follows from the
order: linear layers of equal rows and length in a row share it, attention of several lengths runs
side by side, and whatever stands before them has made it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dovetail.errors import TraceError
from dovetail.models.trace import GemmOp, OtherOp, Trace

__all__ = ["Step", "steps_of"]


@dataclass(frozen=True, slots=True)
class Step:
    """A kernel to be.

    Attributes
    ----------
    op : GemmOp or OtherOp
    feeds : float
        Activations of GEMMs that it makes; GEMMs side by side share by their results.
    reads : int
        Activations that it is the first GEMM to read.
    """

    op: GemmOp | OtherOp
    feeds: float
    reads: int


def steps_of(trace: Trace) -> list[Step]:
    """Every kernel of ``trace`` in program order; a bias is none.

    Raises
    ------
    TraceError
        Where an operator is neither a GEMM nor work between GEMMs.
    """
    ops: list[GemmOp | OtherOp] = []
    for op in trace.ops:
        if not isinstance(op, GemmOp | OtherOp):
            raise TraceError(
                f"{op.name}: the GPU model runs GEMMs and the work between them, and this is "
                f"neither; use a network of linear layers, such as bitnet-3b"
            )
        if not (isinstance(op, OtherOp) and op.kind == "bias"):
            ops.append(op)
    steps: list[Step] = []
    for op in ops:
        reads = 0
        if isinstance(op, GemmOp) and not (steps and _share(steps[-1].op, op)):
            reads = op.m * op.k * op.count
            for maker, share in _makers(steps, op).items():
                steps[maker] = replace(steps[maker], feeds=steps[maker].feeds + share * reads)
        steps.append(Step(op, 0.0, reads))
    return steps


def _makers(steps: list[Step], op: GemmOp) -> dict[int, float]:
    """Which of the steps before ``op`` make what it reads, and what part of it."""
    last = len(steps) - 1
    while last >= 0 and _side_by_side(steps[last].op, op):
        last -= 1
    if last < 0:
        return {}
    results = {}
    first = last
    while first >= 0 and (first == last or _together(steps[first].op, steps[first + 1].op)):
        made = steps[first].op
        results[first] = made.m * made.n * made.count if isinstance(made, GemmOp) else 1
        first -= 1
    return {maker: values / sum(results.values()) for maker, values in results.items()}


def _share(first: GemmOp | OtherOp, second: GemmOp) -> bool:
    """Whether two operators in a row are linear layers on the same activations, as q, k and v."""
    return (
        isinstance(first, GemmOp)
        and first.weights == second.weights == "parameter"
        and (first.m, first.k) == (second.m, second.k)
    )


def _side_by_side(first: GemmOp | OtherOp, second: GemmOp | OtherOp) -> bool:
    """Whether neither of two GEMMs reads the other's results: attention of several lengths."""
    return (
        isinstance(first, GemmOp)
        and isinstance(second, GemmOp)
        and first.weights == second.weights == "activation"
    )


def _together(first: GemmOp | OtherOp, second: GemmOp | OtherOp) -> bool:
    """Whether what two operators in a row make is read by the same operators."""
    shared = isinstance(second, GemmOp) and _share(first, second)
    return shared or _side_by_side(first, second)

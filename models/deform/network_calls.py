"""A network as the calls that an engine runs: which convolutions share one, and what is split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.deform import DeformEngineConfig
from dovetail.arch.deform_call import DeformCall, call_problem
from dovetail.errors import ConfigError
from dovetail.models.conv_ops import ConvOp
from dovetail.models.deform.offsets import integer_square
from dovetail.models.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkCall:
    """One call of a network.

    Attributes
    ----------
    name, layer : str, int
        Of the operator, or the first of two; a part of one that was split ends in its number.
    call : DeformCall
    engine : DeformEngineConfig
        That runs it.
    offsets : uint8, shape (out_height, out_width), or None
        Bounded and rounded; of a call with ``deform``.
    more_offsets : int
        Numbers beside these that displace the taps of a pixel.
    """

    name: str
    layer: int
    call: DeformCall
    engine: DeformEngineConfig
    offsets: NDArray[np.uint8] | None = None
    more_offsets: int = 0


def network_calls(
    trace: Trace, config: DeformEngineConfig, second: DeformEngineConfig | None = None
) -> tuple[NetworkCall, ...]:
    """List the calls of one engine, or of two, in program order.

    A 1x1 convolution and the 3x3 depthwise one that takes its output run in one call.  What does
    not fit the engine's buffers is split by output channels into equal parts.  A convolution that
    is neither runs on the host (:func:`host_convolutions`).  A second engine runs what is
    deformable or full 3x3.

    Raises
    ------
    ConfigError
        Where an operator fits however it is split; a row may be wider than the line buffer.
    """
    calls = []
    for op, after in _chained(trace):
        offsets = None
        last = after or op
        engine = second if second and (last.deform or _full(last)) else config
        where = f"{trace.network}: {op.name} of block {op.layer}"
        if last.deform:
            offsets = integer_square(trace.data[f"{last.layer}.{last.name}.s"], bound=engine.bound)
            _check_free(last, engine, where=where)
        parts = _split(_call(op, after), engine, where=where)
        for number, part in enumerate(parts):
            name = op.name if len(parts) == 1 else f"{op.name}.{number}"
            calls.append(
                NetworkCall(
                    name=name,
                    layer=op.layer,
                    call=part,
                    engine=engine,
                    offsets=offsets,
                    more_offsets=max(0, last.offsets - 1),
                )
            )
    return tuple(calls)


def _check_free(op: ConvOp, engine: DeformEngineConfig, *, where: str) -> None:
    """Refuse an engine that could not hold, or not read by, an offset for each tap."""
    if not op.free:
        return
    if engine.memory == "line_buffer" and engine.window_ports > 1:
        raise ConfigError(
            f"{where}: nine free taps may lie in any rows, where window_ports="
            f"{engine.window_ports} would meet in one memory; set window_ports to 1, or gather"
        )
    needed = op.offsets * op.out_height * op.out_width
    if needed > engine.offset_buffer_bytes:
        raise ConfigError(
            f"{where}: {needed} offsets exceed offset_buffer_bytes={engine.offset_buffer_bytes}; "
            f"set it to {-(-needed // engine.lanes) * engine.lanes}"
        )


def host_convolutions(trace: Trace) -> tuple[ConvOp, ...]:
    """The convolutions that no engine runs: over 3x3 pixels of several channels, with a stride."""
    return tuple(op for op in trace.convolutions if not _on_engine(op))


def _full(op: ConvOp) -> bool:
    return op.kernel == 3 and op.groups == 1 and op.stride == 1


def _on_engine(op: ConvOp) -> bool:
    pointwise = op.kernel == 1 and op.groups == 1 and op.stride == 1
    return pointwise or _full(op) or (op.kernel == 3 and op.depthwise and op.stride <= 2)


def _chained(trace: Trace) -> Iterator[tuple[ConvOp, ConvOp | None]]:
    """Operators, each with the one that runs in the same call behind it."""
    taken = False
    following = chain(trace.ops[1:], [None])
    for op, after in zip(trace.ops, following, strict=True):
        if taken or not isinstance(op, ConvOp) or not _on_engine(op):
            taken = False
            continue
        taken = isinstance(after, ConvOp) and _feeds(op, after)
        yield op, after if taken and isinstance(after, ConvOp) else None


def _feeds(first: ConvOp, second: ConvOp) -> bool:
    return (
        first.kernel == 1
        and second.kernel == 3
        and second.depthwise
        and first.layer == second.layer
        and first.out_channels == second.in_channels
        and (first.height, first.width) == (second.height, second.width)
    )


def _call(op: ConvOp, after: ConvOp | None) -> DeformCall:
    last = after or op
    return DeformCall(
        height=op.height,
        width=op.width,
        in_channels=op.in_channels,
        out_channels=op.out_channels,
        pointwise=op.kernel == 1,
        depthwise=last.kernel == 3,
        full=_full(last),
        stride=2 if last.stride == 2 else 1,
        deform=last.deform,
    )


def _split(call: DeformCall, config: DeformEngineConfig, *, where: str) -> list[DeformCall]:
    groups = call.out_groups(config.lanes)
    for parts in range(1, groups + 1):
        most = -(-groups // parts) * config.lanes
        bounds = [*range(0, call.out_channels, most), call.out_channels]
        split = [_part(call, high - low) for low, high in zip(bounds, bounds[1:], strict=False)]
        if not any(call_problem(config, part) for part in split):
            return split
    problem = call_problem(config, _part(call, min(call.out_channels, config.lanes)))
    assert problem is not None
    # One group of channels cannot be split further.
    problem = problem.replace("split the call by output channels", "use a larger buffer")
    raise ConfigError(f"{where}: {problem}")


def _part(call: DeformCall, channels: int) -> DeformCall:
    inputs = call.in_channels if call.pointwise or call.full else channels
    return replace(call, in_channels=inputs, out_channels=channels)

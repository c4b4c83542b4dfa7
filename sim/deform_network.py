"""A network on the deformable engine: its calls one after the other, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dovetail.arch.deform import DeformDesign, DeformEngineConfig
from dovetail.arch.deform_call import DeformCall
from dovetail.arch.events import Event
from dovetail.errors import TraceError
from dovetail.models.deform.network_calls import NetworkCall, network_calls
from dovetail.models.trace import Trace
from dovetail.sim.deform_engine import DeformResult, simulate_call
from dovetail.sim.result import Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOperator:
    """A call under the name of its operator."""

    name: str
    layer: int
    result: DeformResult
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkResult(Totals):
    """All calls of a network; what the host computes between them is not in it.

    Attributes
    ----------
    calls : tuple of (NetworkCall, DeformResult)
        In program order.
    events : dict of Event to int
        Totals.
    macs : int
        Useful multiply-accumulates of the calls, padded channels left out.
    peak_macs_per_cycle : int
        Of all arrays of the design's engines together.
    """

    calls: tuple[tuple[NetworkCall, DeformResult], ...]
    events: Mapping[Event, int]
    macs: int
    peak_macs_per_cycle: int

    @property
    def ops(self) -> tuple[CallOperator, ...]:
        """The calls as :class:`dovetail.sim.result.NetworkRun` names them."""
        return tuple(
            CallOperator(name=call.name, layer=call.layer, result=one) for call, one in self.calls
        )


def simulate_network(design: DeformDesign, trace: Trace) -> NetworkResult:
    """Cycles and events of a convolutional network on one design point.

    Parameters
    ----------
    design : DeformDesign
    trace : Trace
        Its square offsets are clipped to the design's bound and rounded.

    Raises
    ------
    ConfigError
        Where an operator does not fit the engine.
    TraceError
        Where the network has no convolution that the engine runs.
    """
    engine = design.engine
    calls = network_calls(trace, engine, design.second_engine)
    if not calls:
        raise TraceError(
            f"{trace.network} has no convolution that this engine runs; choose one of the codenets"
        )
    # Units of a stage repeat; calls with offsets differ in what they read.
    known: dict[tuple[DeformEngineConfig, DeformCall], DeformResult] = {}
    results = []
    for call in calls:
        result = known.get((call.engine, call.call))
        if result is None or call.offsets is not None:
            result = simulate_call(call.engine, call.call, call.offsets)
            known[call.engine, call.call] = result
        results.append((call, result))
    events = dict.fromkeys(Event, 0)
    for _, result in results:
        for event, count in result.events.items():
            events[event] += count
    return NetworkResult(
        calls=tuple(results),
        events=events,
        macs=sum(call.call.macs for call in calls),
        peak_macs_per_cycle=sum(one.peak_macs_per_cycle for one in design.engines),
    )

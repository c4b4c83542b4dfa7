"""rtl/gemm/chained_engine.py in Amaranth's simulator: a chain's results, times and events."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from amaranth import Value

from dovetail.arch.chained import WAITING_DESCRIPTORS, ChainedEngineConfig
from dovetail.arch.descriptor import registers
from dovetail.arch.events import GEMM_EVENTS, Event
from dovetail.lockstep.chain_cases import ChainCase, random_chain
from dovetail.rtl.engines import engine
from dovetail.rtl.leaf import Leaf
from dovetail.tests.rtl.simulation import inlined, simulate

# One column, so that each leaf is placed once; a row of results is two beats.
CONFIG = ChainedEngineConfig(
    cols=1,
    lut_k=2,
    max_group=64,
    port_bits=32,
    tag_bits=3,
    activation_buffer_bytes=512,
    weight_buffer_bytes=256,
    scale_buffer_bytes=64,
    accumulator_buffer_bytes=36,
    dram_latency_cycles=9,
)


@dataclass
class ReadPort:
    """Beats of one port, in order, each with the cycle from which it is there."""

    command: Any
    data: Any
    waiting: deque[tuple[int, int]] = field(default_factory=deque)
    valid: bool = False


@dataclass
class Run:
    """What the engine did, by cycles from the acceptance of the first descriptor on."""

    memory: list[int]
    accepted: list[int] = field(default_factory=list)
    landed: list[int] = field(default_factory=list)
    commands: list[tuple[int, int, int, int]] = field(default_factory=list)
    writes: list[tuple[int, int, int]] = field(default_factory=list)
    events: dict[Event, int] = field(default_factory=dict)


def run(case: ChainCase, *, gaps: float = 0.0, limit: int = 20_000) -> Run:
    """Offer all descriptors in turn, with memory as docs/engine.md has it, or with gaps."""
    config, dut = case.config, engine(case.config)
    layout = dut.start.payload.shape()
    starts = [
        layout.const(registers(config, one.descriptor)).as_value().value for one in case.gemms
    ]
    beat_bytes = config.port_bits // 8
    data = case.memory.tobytes()
    beats = [
        int.from_bytes(data[at : at + beat_bytes], "little")
        for at in range(0, len(data), beat_bytes)
    ]
    found = Run(memory=beats)
    rng = random.Random(0)

    def refuse() -> bool:
        return gaps > 0 and rng.random() < gaps

    async def bench(ctx: Any) -> None:
        ports = [
            ReadPort(dut.weight_command, dut.weight_read),
            ReadPort(dut.command, dut.read),
        ]
        for cycle in range(limit):
            number = len(found.accepted)
            since = cycle - found.accepted[-1] if number else 0
            offers = number < len(starts) and (not number or since >= case.gemms[number].gap)
            ctx.set(dut.start.valid, offers)
            if offers:
                ctx.set(Value.cast(dut.start.payload), starts[number])
            for port in ports:
                due = bool(port.waiting) and port.waiting[0][0] <= cycle
                port.valid = port.valid or (due and not refuse())
                ctx.set(port.data.valid, port.valid)
                if port.valid:
                    ctx.set(port.data.payload, beats[port.waiting[0][1]])
                ctx.set(port.command.ready, not refuse())
            ctx.set(dut.write.ready, not refuse())
            written = ctx.get(dut.write.valid) and ctx.get(dut.write.ready)
            beat = ctx.get(dut.write.payload)
            ctx.set(dut.landed, bool(written and beat.last))
            accepted = bool(offers and ctx.get(dut.start.ready))
            ctx.set(dut.clear, accepted and not number)
            for port in ports:
                if port.valid and ctx.get(port.data.ready):
                    port.waiting.popleft()
                    port.valid = False
                if ctx.get(port.command.valid) and ctx.get(port.command.ready):
                    command = ctx.get(port.command.payload)
                    last = command.address + command.beats
                    port.waiting += [
                        (cycle + config.dram_latency_cycles, at)
                        for at in range(command.address, last)
                    ]
                    if port.command is dut.command:
                        place = (command.address, command.beats, command.block, command.tag)
                        found.commands.append(place)
            if accepted:
                found.accepted.append(cycle)
            if written:
                beats[beat.address] = beat.data
                found.writes.append((beat.address, beat.block, beat.tag))
                if beat.last:
                    found.landed.append(cycle)
            await ctx.tick()
            if len(found.accepted) == len(starts) and not ctx.get(dut.busy):
                break
        found.events = {event: ctx.get(getattr(dut, f"count_{event}")) for event in GEMM_EVENTS}

    simulate(dut, bench)
    return found


@pytest.fixture(autouse=True)
def leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Leaf, "instance", inlined)


def right(memory: list[int], case: ChainCase) -> bool:
    beat_bytes = case.config.port_bits // 8
    data = b"".join(beat.to_bytes(beat_bytes, "little") for beat in memory)
    return data == case.reference().tobytes()


@pytest.mark.parametrize("seed", range(4))
def test_results_times_and_events_agree(seed: int) -> None:
    # A row is two beats, or one, where a GEMM's last row and the next GEMM's registers meet.
    case = random_chain(replace(CONFIG, port_bits=(32, 64)[seed % 2]), seed)
    found, expected = run(case), case.simulate()
    assert right(found.memory, case)
    assert found.accepted == [link.accepted for link in expected.links]
    assert found.landed == [link.landed for link in expected.links]
    assert found.events == {event: expected.events[event] for event in GEMM_EVENTS}


def test_results_agree_under_gaps_and_back_pressure() -> None:
    case = random_chain(CONFIG, 0)
    found = run(case, gaps=0.4)
    assert right(found.memory, case)
    assert len(found.landed) == len(case.gemms)


def test_rows_and_tags_come_with_commands_and_results() -> None:
    case = random_chain(CONFIG, 1)
    found = run(case)
    at = 0
    for one in case.gemms:
        d = one.descriptor
        row_beats = 2 * d.n_blocks
        writes = found.writes[at : at + d.m_blocks * row_beats]
        at += len(writes)
        assert sorted(writes) == [
            (d.output_address + beat, beat // row_beats, d.tag)
            for beat in range(d.m_blocks * row_beats)
        ]
    assert at == len(found.writes)
    for address, beats, block, tag in found.commands:
        owners = [
            one.descriptor
            for one in case.gemms
            if one.descriptor.tag == tag
            and 0 <= block < one.descriptor.m_blocks
            and 0
            <= address
            - one.descriptor.activation_address
            - block * one.descriptor.activation_block_beats
            <= one.descriptor.activation_block_beats - beats
        ]
        assert owners


def test_at_most_two_gemms_wait_for_a_part() -> None:
    """The writer is the last to be done with a GEMM."""
    found = run(random_chain(CONFIG, 2))
    for number in range(WAITING_DESCRIPTORS, len(found.accepted)):
        # The last row is read five cycles before its beat, and its last beat issued in that cycle.
        done = found.landed[number - WAITING_DESCRIPTORS] - 5
        assert found.accepted[number] > done

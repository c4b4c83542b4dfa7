"""cocotb side of the engine's co-simulation; started by test_engine_verilog.py.

Every task acts on the falling edge and samples in ``ReadOnly`` before the rising edge, so a
handshake means the same thing in every simulator and in the stream rules.
"""

import os
import random
from collections import deque
from itertools import product
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly, with_timeout

from dovetail.arch.descriptor import Descriptor, describe, registers
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.models.gemm_layout import output_beats, output_bytes, pack_operands, unpack_outputs
from dovetail.models.mpgemm import GemmOperands, mpgemm_after_group, mpgemm_before_loop
from dovetail.rtl.gemm.descriptor import ADDRESS_BITS, descriptor_layout
from dovetail.tests.rtl.cosim.engines import ENGINES

CONFIG: GemmEngineConfig = ENGINES[os.environ["ENGINE"]]
OUTPUT_SHIFT, WEIGHT_SHIFT = 9, 8
ROUNDS = 5
TIMEOUT_US = 100  # ten thousand cycles; a GEMM takes a few hundred


class Port:
    """The three signals of one stream."""

    def __init__(self, dut: Any, name: str) -> None:
        self.name = name
        self.payload, self.valid, self.ready = (
            getattr(dut, f"{name}__{signal}") for signal in ("payload", "valid", "ready")
        )


class StreamRules:
    """Watches an output of the engine: valid and payload hold until ready."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.transfers = 0

    async def watch(self) -> None:
        waiting = None
        while True:
            await ReadOnly()
            valid, payload = int(self.port.valid.value), self.port.payload.value
            if waiting is not None:
                assert valid, f"{self.port.name}.valid fell before {self.port.name}.ready"
                assert payload == waiting, f"{self.port.name}.payload changed while it waited"
            waiting = payload if valid and not int(self.port.ready.value) else None
            self.transfers += valid and waiting is None
            await FallingEdge(cocotb.top.clk)


async def send(port: Port, value: int, rng: random.Random) -> None:
    """Offer one value after a random gap and hold it until it is accepted."""
    while rng.random() < 0.3:
        await FallingEdge(cocotb.top.clk)
    port.payload.value = value
    port.valid.value = 1
    accepted = False
    while not accepted:
        await ReadOnly()
        accepted = int(port.ready.value) == 1
        await FallingEdge(cocotb.top.clk)
    port.valid.value = 0
    port.payload.value = rng.getrandbits(len(port.payload))  # means nothing without valid


async def receive(port: Port, rng: random.Random, *, patient: bool) -> int:
    """Accept one value; where ``patient``, only after valid has stood for a while.

    An engine whose valid waits for ready never gets past a patient receiver.
    """
    while True:
        ready = not patient and rng.random() < 0.6
        if patient:
            await ReadOnly()
            ready = int(port.valid.value) == 1 and rng.random() < 0.6
            await FallingEdge(cocotb.top.clk)
        port.ready.value = int(ready)
        await ReadOnly()
        taken = ready and int(port.valid.value) == 1
        value = int(port.payload.value) if taken else 0
        await FallingEdge(cocotb.top.clk)
        port.ready.value = 0
        if taken:
            return value


class Memory:
    """DRAM behind the three streams: answers reads in order, keeps what is written."""

    def __init__(self, image: bytes, beat_bytes: int) -> None:
        self.image = image
        self.beat_bytes = beat_bytes
        self.waiting: deque[int] = deque()  # beats to be read, in the order of the commands
        self.written: dict[int, bytes] = {}

    async def take_commands(self, port: Port, rng: random.Random, patient: bool) -> None:
        while True:
            command = await receive(port, rng, patient=patient)
            address, beats = command % (1 << ADDRESS_BITS), command >> ADDRESS_BITS
            assert beats > 0 and (address + beats) * self.beat_bytes <= len(self.image)
            self.waiting.extend(range(address, address + beats))

    async def answer(self, port: Port, rng: random.Random) -> None:
        while True:
            if not self.waiting:
                await FallingEdge(cocotb.top.clk)
                continue
            at = self.waiting.popleft() * self.beat_bytes
            data = self.image[at : at + self.beat_bytes]
            await send(port, int.from_bytes(data, "little"), rng)

    async def take_results(self, port: Port, rng: random.Random, patient: bool) -> None:
        while True:
            beat = await receive(port, rng, patient=patient)
            address, data = beat % (1 << ADDRESS_BITS), beat >> ADDRESS_BITS
            assert address not in self.written, f"beat {address} is written twice"
            self.written[address] = data.to_bytes(self.beat_bytes, "little")


def problem(rng: np.random.Generator, weight_format: str) -> tuple[Gemm, TileMapping, Any]:
    """A GEMM with edges along every dimension and a short last group, in several tiles."""
    rows, cols, group = CONFIG.rows, CONFIG.cols, CONFIG.max_group
    gemm = Gemm(
        m=int(rng.integers(rows + 1, 3 * rows)),
        n=int(rng.integers(cols + 1, 3 * cols)),
        k=int(rng.integers(2 * group + 1, 3 * group)),
        weight_format=weight_format,  # type: ignore[arg-type]
        group=group,
    )
    order = "m_outer" if rng.random() < 0.5 else "n_outer"
    mapping = TileMapping(tile_m=1, tile_n=1, tile_k=int(rng.integers(1, 4)), order=order)
    low, high = {"int4": (-8, 8), "uint4_zero": (0, 16), "int8": (-128, 128)}[weight_format]
    stored = weight_format != "int8"
    scale, zero = rng.integers(0, 4096, (gemm.n, 3)), rng.integers(0, 16, (gemm.n, 3))
    if weight_format == "int4":
        zero = np.zeros_like(zero)
    operands = GemmOperands(
        activations=rng.integers(-128, 128, (gemm.m, gemm.k)).astype(np.int8),
        weights=rng.integers(low, high, (gemm.n, gemm.k)).astype(np.int8),
        scale=scale if stored else None,
        zero=zero if stored else None,
        group=group,
    )
    return gemm, mapping, operands


def beats_of_rows(descriptor: Descriptor) -> set[int]:
    """Beats that hold a row of results; a row is written in its whole width."""
    row_bytes = CONFIG.output_row_bits // 8
    starts = output_bytes(CONFIG, descriptor)[:, :: CONFIG.cols].ravel().tolist()
    return {(at + byte) * 8 // CONFIG.port_bits for at in starts for byte in range(row_bytes)}


async def run(dut: Any, seed: int, weight_format: str, *, patient: bool) -> None:
    """One GEMM from start to the last beat, on an engine that may have run others before."""
    gemm, mapping, operands = problem(np.random.default_rng(seed), weight_format)
    descriptor = describe(
        CONFIG, gemm, mapping, output_shift=OUTPUT_SHIFT, weight_shift=WEIGHT_SHIFT
    )
    beat_bytes = CONFIG.port_bits // 8
    memory = Memory(pack_operands(operands, CONFIG, descriptor).tobytes(), beat_bytes)
    start, command, read, write = (Port(dut, x) for x in ("start", "command", "read", "write"))
    rules = [StreamRules(command), StreamRules(write)]
    rngs = [random.Random(f"{seed} {part}") for part in range(4)]
    tasks = [cocotb.start_soon(rule.watch()) for rule in rules]
    tasks += [
        cocotb.start_soon(memory.take_commands(command, rngs[0], patient)),
        cocotb.start_soon(memory.answer(read, rngs[1])),
        cocotb.start_soon(memory.take_results(write, rngs[2], patient)),
    ]
    layout = descriptor_layout(CONFIG)
    word = layout.const(registers(CONFIG, descriptor)).as_value().value
    assert int(dut.busy.value) == 0
    await send(start, word, rngs[3])
    assert int(dut.busy.value) == 1
    while int(dut.busy.value):
        assert int(start.ready.value) == 0, "start is accepted while a GEMM runs"
        await FallingEdge(dut.clk)
    for _ in range(10):  # nothing may follow the last beat
        await FallingEdge(dut.clk)
        assert int(command.valid.value) == int(write.valid.value) == 0
    for task in tasks:
        assert not task.done(), task.result()
        task.cancel()

    assert not memory.waiting, "beats were asked for and not used"
    base = descriptor.output_address
    assert sorted(memory.written) == sorted(base + beat for beat in beats_of_rows(descriptor))
    assert rules[1].transfers == int(dut.count_dram_write.value) == len(memory.written)
    blank = bytes(beat_bytes)
    beats = range(base, base + output_beats(descriptor))
    image = np.frombuffer(b"".join(memory.written.get(x, blank) for x in beats), np.uint8)
    got = unpack_outputs(image, CONFIG, descriptor)
    if CONFIG.core == "int8":
        want = mpgemm_before_loop(operands, output_shift=OUTPUT_SHIFT, weight_shift=WEIGHT_SHIFT)
    else:
        want = mpgemm_after_group(operands, output_shift=OUTPUT_SHIFT)
    for (m, n), value in np.ndenumerate(want):
        assert got[m, n] == value, f"seed {seed}: Y[{m}, {n}] is {got[m, n]}, should be {value}"


@cocotb.test
async def matches_the_reference_under_gaps_and_back_pressure(dut: Any) -> None:
    """GEMMs of every weight format, one after the other, through patient and random receivers."""
    for name in ("start", "read"):
        port = Port(dut, name)
        port.valid.value = port.payload.value = 0
    for name in ("command", "write"):
        Port(dut, name).ready.value = 0
    dut.rst.value = 1
    Clock(dut.clk, 10, unit="ns").start()
    for _ in range(2):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    cases = product(range(ROUNDS), (False, True), ("int4", "uint4_zero", "int8"))
    for seed, (_, patient, weight_format) in enumerate(cases, start=int(os.environ["SEED"])):
        await with_timeout(run(dut, seed, weight_format, patient=patient), TIMEOUT_US, "us")

"""The engine as a plain state machine, one step a cycle: the oracle of its simulator.

Written from the contracts of ``rtl/gemm`` (credits between loader, sequencer, core and writer) and
of docs/engine.md (the memory), not from the simulator: nothing here computes a time, it is
counted.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.arch.spad import SpadShape

PATIENCE = 1_000_000  # cycles after which a model that still runs is stuck


@dataclass(frozen=True)
class Tile:
    """Blocks along m and n and groups of one load."""

    ms: range
    ns: range
    gs: range
    first_k: bool
    last_k: bool
    m_last: bool
    n_last: bool


@dataclass(frozen=True)
class Segment:
    """What one array tile sums before it drains."""

    length: int  # in steps
    first_slice: int  # step at which it starts
    tile_start: int  # step at which its tile starts
    stored: bool  # first of its output tile: nothing is read from the accumulators
    ends_tile: bool  # last of its output tile
    rows: int
    cols: int


def tiles(config: GemmEngineConfig, gemm: Gemm, mapping: TileMapping) -> list[Tile]:
    """Every tile in the order of the loops; k is innermost."""

    def cut(total: int, step: int) -> list[range]:
        return [range(at, min(at + step, total)) for at in range(0, total, step)]

    ms = cut(-(-gemm.m // config.rows), mapping.tile_m)
    ns = cut(-(-gemm.n // config.cols), mapping.tile_n)
    gs = cut(-(-gemm.k // gemm.group), mapping.tile_k)
    if mapping.order == "m_outer":
        order = list(product(ms, ns))
    else:
        order = [(m, n) for n, m in product(ns, ms)]
    return [
        Tile(m, n, g, g is gs[0], g is gs[-1], m is ms[-1], n is ns[-1])
        for m, n in order
        for g in gs
    ]


def touched_rows(spad: SpadShape, slices: range) -> int:
    """Scratchpad rows on which ``slices`` of a block lie."""
    return len({index // spad.slices_per_row for index in slices})


LUT = ("lut_int8", "lut_int16", "lut_fp16", "lut_fp8")
BIT_SERIAL = (*LUT, "unpu_int8", "conventional_lut_int8", "add_int8", "add_fp16")
LINEAR = ("linear_w16a32",)
MAC = ("mac_int8", "mac_fp16", *LINEAR)
BROADCAST = (*BIT_SERIAL, *MAC)
AFTER_GROUP = ("mixpe_w4a8", "multiply_w4a8", "int4", "mixpe_w4a16", *BROADCAST)
FLOATING = ("mixpe_w4a16", "dequant_w4a16", "fp16", "lut_fp16", "lut_fp8", "add_fp16", "mac_fp16")
WAITS = {
    "int8": 2,  # the weight dequantiser's two registers at the head of a column
    "shift_add_int8": 2,
    "dequant_w4a8": 2,  # the same two in each PE
    "dequant_w4a16": 3,  # and one after the product
    "mixpe_w4a16": 1,  # after the product
    "fp16": 1,
}


def makes_tables(config: GemmEngineConfig) -> bool:
    """At the heads of rows; a conventional unit makes its own."""
    return config.core == "unpu_int8" or (config.core in LUT and config.tables == "made")


def broadcast_waits(config: GemmEngineConfig) -> tuple[int, int]:
    """Registers of what a step passes until it is summed: in the row's head, in the unit."""
    floating = config.core in FLOATING
    head = unit = 0
    if makes_tables(config):
        # One addition of FP16 a cycle, or all integers at once; then entries are rounded.
        head = config.lut_k - 1 if floating else 1
        if config.table == "int8":
            head += 2 if floating else 1
    if config.core in LUT and floating:
        unit = 1  # the entry
    if config.core == "add_fp16":
        unit = math.ceil(math.log2(config.lut_k))  # levels of the tree
    if config.core == "mac_fp16":
        unit = 2  # products, their sum
    if config.core in LINEAR:
        unit = 3  # products, halfway down the tree, its sum
    return head, unit


class Memory:
    """Answers in order: the first beat a latency after its command, then one a cycle."""

    def __init__(self, latency: int) -> None:
        self.latency = latency
        self.bursts: deque[list[int]] = deque()

    def command(self, cycle: int, beats: int) -> None:
        self.bursts.append([cycle + self.latency, beats])

    def beat(self, cycle: int) -> bool:
        if not self.bursts or self.bursts[0][0] > cycle:
            return False
        self.bursts[0][1] -= 1
        if not self.bursts[0][1]:
            self.bursts.popleft()
        return True


class CycleModel:
    """One GEMM on one engine; :meth:`run` returns every event."""

    def __init__(self, config: GemmEngineConfig, gemm: Gemm, mapping: TileMapping) -> None:
        self.config = config
        self.gemm = gemm
        self.unscaled = not gemm.scaled
        # Nibble planes of a weight: two of INT8; FP16 has one plane of its own width.
        self.after_group = config.core in AFTER_GROUP
        self.serial = config.core in BIT_SERIAL
        self.planes = 2 if gemm.weight_format == "int8" else 1
        if self.serial:  # planes of bits, all in one pass
            self.planes = 8 if gemm.weight_format == "int8" else gemm.bits or 0
        elif config.core in MAC:
            self.planes = 1
        # In steps from here on.
        self.k, self.group = -(-gemm.k // config.lut_k), gemm.group // config.lut_k
        self.tiles = tiles(config, gemm, mapping)
        here_a = [(tile.ms, tile.gs) for tile in self.tiles]
        here_w = [(tile.ns, tile.gs) for tile in self.tiles]
        self.a_new = [True] + [a != b for a, b in pairwise(here_a)]
        self.w_new = [True] + [a != b for a, b in pairwise(here_w)]
        self.a_free = self.a_new[1:] + [True]
        self.w_free = self.w_new[1:] + [True]
        self.events: Counter[Event] = Counter()
        # Credits as of the start of the cycle, and what the cycle adds to them at its end.
        self.credits = Counter(w_free=2, a_free=2, o_free=2, w_ready=0, a_ready=0, o_ready=0)
        self.change: Counter[str] = Counter()
        self.memory = Memory(config.dram_latency_cycles)
        self.later: dict[int, list[str]] = {}  # what happens at the start of a coming cycle
        self.done_streaming = False
        self.finished = False

    def run(self) -> dict[Event, int]:
        commands, fills = self._blocks(), self._blocks()
        self.command, self.fill = next(commands, None), next(fills, None)
        self.fill_left = self.fill[1] if self.fill else 0
        sequencer, drain, writer = self._sequence(), self._drain(), self._write()
        next(drain)
        for self.cycle in range(1, PATIENCE):  # start is accepted in cycle 0
            for name in self.later.pop(self.cycle, ()):
                self.change[name] += 1
            self._issue(commands)
            self._receive(fills)
            next(sequencer)
            next(drain)
            next(writer)
            self.credits.update(self.change)
            self.change.clear()
            assert all(0 <= count <= 2 for count in self.credits.values())
            if self.finished:
                break
        assert self.finished, "stuck"
        assert self.credits == Counter(
            w_free=2, a_free=2, o_free=2, w_ready=0, a_ready=0, o_ready=0
        )
        assert self.command is None and self.fill is None and not self.memory.bursts
        self.events[Event.CYCLE] = self.cycle
        return {event: self.events[event] for event in Event}

    # loader

    def _blocks(self) -> Iterator[tuple[str, int, str]]:
        """Operand, beats, and which operand of the tile is complete with it."""
        config = self.config
        planes = self.planes
        for tile, a_new, w_new in zip(self.tiles, self.a_new, self.w_new, strict=True):
            start = tile.gs.start * self.group
            stop = min(tile.gs.stop * self.group, self.k)
            loads = []
            if w_new:
                rows = touched_rows(config.weight, range(start * planes, stop * planes))
                loads += [("w", rows * config.weight.beats_per_row)] * len(tile.ns)
                if not self.unscaled:
                    rows = touched_rows(config.scale, tile.gs)
                    loads += [("s", rows * config.scale.beats_per_row)] * len(tile.ns)
                for index, (name, beats) in enumerate(loads, start=1):
                    yield name, beats, "w" if index == len(loads) else ""
            if a_new:
                rows = touched_rows(config.activation, range(start, stop))
                for index in range(len(tile.ms)):
                    done = "a" if index == len(tile.ms) - 1 else ""
                    yield "a", rows * config.activation.beats_per_row, done

    def _issue(self, commands: Iterator[tuple[str, int, str]]) -> None:
        """One command a cycle, as soon as a half is free for the operand."""
        if self.command is None:
            return
        name, beats, done = self.command
        if self.credits["a_free" if name == "a" else "w_free"]:
            self.memory.command(self.cycle, beats)
            if done:
                self.change[f"{done}_free"] -= 1
            self.command = next(commands, None)

    def _receive(self, fills: Iterator[tuple[str, int, str]]) -> None:
        if not self.memory.beat(self.cycle):
            return
        assert self.fill is not None
        name, _, done = self.fill
        writes = {"w": Event.WEIGHT_WRITE, "s": Event.SCALE_WRITE, "a": Event.ACTIVATION_WRITE}
        self.events[Event.DRAM_READ] += 1
        self.events[writes[name]] += 1
        self.fill_left -= 1
        if not self.fill_left:
            if done:
                self.change[f"{done}_ready"] += 1
            self.fill = next(fills, None)
            self.fill_left = self.fill[1] if self.fill else 0

    # sequencer

    def _segments(self, tile: Tile) -> Iterator[Segment]:
        """All segments of a tile: array tiles with n fastest, then groups, then nibble passes."""
        config, gemm = self.config, self.gemm
        start = tile.gs.start * self.group
        stop = min(tile.gs.stop * self.group, self.k)
        step, passes = stop - start, 1  # integers dequantised first: the whole k tile is summed
        if self.after_group or config.core in FLOATING:
            step = self.group
        if self.after_group and config.core not in BROADCAST:  # its PEs multiply by one nibble
            passes = self.planes
        for m, n in product(tile.ms, tile.ns):
            last_m, last_n = m == tile.ms[-1], n == tile.ns[-1]
            rows, cols = config.rows, config.cols
            if last_m and tile.m_last:
                rows = gemm.m - m * config.rows
            if last_n and tile.n_last:
                cols = gemm.n - n * config.cols
            for at in range(start, stop, step):
                for index in range(passes):
                    last = last_m and last_n and at + step >= stop and index == passes - 1
                    yield Segment(
                        length=min(step, stop - at),
                        first_slice=at,
                        tile_start=start,
                        stored=tile.first_k and at == start and index == 0,
                        ends_tile=tile.last_k and last,
                        rows=rows,
                        cols=cols,
                    )

    def _sequence(self) -> Iterator[None]:
        """Yield once a cycle."""
        self.chain = 0  # cycles for which the drain chain is still taken
        for index, tile in enumerate(self.tiles):
            while True:  # operands and accumulators, in the order of the stalls' priority
                if self.w_new[index] and not self.credits["w_ready"]:
                    cause = Event.STALL_WEIGHTS
                elif self.a_new[index] and not self.credits["a_ready"]:
                    cause = Event.STALL_ACTIVATIONS
                elif tile.first_k and not self.credits["o_free"]:
                    cause = Event.STALL_OUTPUT
                else:
                    break
                yield self._stall(cause)
            begun = False
            segments = list(self._segments(tile))
            serial_planes = self.planes if self.serial else 1
            for number, segment in enumerate(segments):
                slices = list(product(range(segment.length), range(serial_planes)))
                while self.chain > len(slices):
                    yield self._stall(Event.STALL_DEQUANT)
                for kk, plane in slices:
                    if not begun:
                        begun = True
                        self.change["w_ready"] -= self.w_new[index]
                        self.change["a_ready"] -= self.a_new[index]
                        self.change["o_free"] -= tile.first_k
                    self._stream(segment, kk, plane)
                    self.chain = max(0, self.chain - 1)
                    if (kk, plane) == slices[-1]:
                        self.chain = self.config.drain_cycles
                        self.entered.append((self.cycle, segment))
                        if number == len(segments) - 1:
                            self.change["w_free"] += self.w_free[index]
                            self.change["a_free"] += self.a_free[index]
                    yield
        while True:
            yield self._stall(Event.STALL_DRAIN)

    def _stall(self, cause: Event) -> None:
        self.events[cause] += 1
        self.chain = max(0, self.chain - 1)

    def _stream(self, segment: Segment, kk: int, plane: int) -> None:
        """One step of both operands, or a plane of it, leaves the scratchpads for the array."""
        config, events = self.config, self.events
        k = segment.first_slice + kk
        events[Event.STREAM] += 1
        events[Event.PE_OP] += segment.rows * segment.cols
        if self.serial:
            place = k * self.planes + plane
            begins = kk == plane == 0
            row_starts = place % config.weight.slices_per_row == 0
            events[Event.WEIGHT_READ] += begins or row_starts
        else:
            k_per_row = max(1, config.weight.slices_per_row // self.planes)
            events[Event.WEIGHT_READ] += kk == 0 or k % k_per_row == 0
        if plane:  # the step's activations are held
            return
        # A row that was fetched stays at hand until the segment (the array tile, for scales) ends.
        events[Event.ACTIVATION_READ] += kk == 0 or k % config.activation.slices_per_row == 0
        events[Event.TABLE] += segment.rows if makes_tables(config) else 0
        if not self.unscaled and k % self.group == 0:
            first_of_tile = kk == 0 and segment.first_slice == segment.tile_start
            row_starts = (k // self.group) % config.scale.slices_per_row == 0
            events[Event.SCALE_READ] += first_of_tile or row_starts
        if self.after_group:
            # Whole weights have no zero points.
            events[Event.GROUP_SUM] += segment.rows if config.core not in MAC else 0
        elif config.core in ("int8", "shift_add_int8") and not self.unscaled:
            events[Event.WEIGHT_DEQUANT] += segment.cols

    # core

    def _drain(self) -> Iterator[None]:
        """Drain each segment's rows, last row first, one a cycle, and pass them on to the right."""
        config, events = self.config, self.events
        self.entered: deque[tuple[int, Segment]] = deque()
        # Scratchpad and operand register, what a weight or a product waits for, the rows' skew.
        to_bottom = 2 + WAITS.get(config.core, 0) + config.rows
        if config.core in BROADCAST:  # to all rows and columns at once
            to_bottom = 2 + sum(broadcast_waits(config)) + 1
        # The columns, whose accumulators are read a cycle after they are written; after the group
        # also the group sums' column and the dequantiser.
        to_ready = config.cols
        if config.core in BROADCAST:
            to_ready = 1 + (2 if config.core in FLOATING else 1)
        elif self.after_group:
            to_ready += 1 + (2 if config.core == "mixpe_w4a16" else 1)
        yield
        while True:
            while not self.entered or self.cycle < self.entered[0][0] + to_bottom:
                yield
            entered, segment = self.entered.popleft()
            assert self.cycle == entered + to_bottom, "the drain chain was taken"
            for row in range(config.rows - 1, -1, -1):
                if row < segment.rows:
                    events[Event.ACCUMULATE] += segment.cols
                    events[Event.ACCUMULATOR_WRITE] += 1
                    events[Event.ACCUMULATOR_READ] += not segment.stored
                    if self.after_group:
                        events[Event.GROUP_DEQUANT] += segment.cols
                if row == 0 and segment.ends_tile:
                    self.later.setdefault(self.cycle + to_ready, []).append("o_ready")
                yield

    # writer

    def _write(self) -> Iterator[None]:
        """Read finished accumulators back by rows; beats leave two cycles later, or more."""
        config, gemm, events = self.config, self.gemm, self.events
        beats_per_row = max(1, config.output_row_bits // config.port_bits)
        rows_per_beat = max(1, config.port_bits // config.output_row_bits)
        # A linear unit's result is truncated, and its GELU takes three cycles.
        to_beat = 2 + (3 if config.core in LINEAR else 0)
        beats: deque[tuple[int, bool]] = deque()  # when, and whether it is the last of all
        outputs = [tile for tile in self.tiles if tile.last_k]
        work = []  # rows to read: (valid columns, ends a beat, begins a tile, ends a tile)
        for tile in outputs:
            rows_of_tile = []
            for m, n in product(tile.ms, tile.ns):
                rows = min(config.rows, gemm.m - m * config.rows)
                cols = min(config.cols, gemm.n - n * config.cols)
                for row in range(rows):
                    full = (row + 1) % rows_per_beat == 0 or row == rows - 1
                    for part in range(beats_per_row):
                        rows_of_tile.append((cols if part == 0 else 0, full))
            last = len(rows_of_tile) - 1
            work += [(*row, at == 0, at == last) for at, row in enumerate(rows_of_tile)]
        left = len(work)
        for cols, full, begins, ends in work:
            while begins and not self.credits["o_ready"]:
                yield self._emit(beats)
            left -= 1
            if begins:
                self.change["o_ready"] -= 1
            if cols:
                events[Event.ACCUMULATOR_READ] += 1
                events[Event.OUTPUT] += cols
            if full:
                beats.append((self.cycle + to_beat, left == 0))
            if ends:
                self.change["o_free"] += 1
            yield self._emit(beats)
        while True:
            yield self._emit(beats)

    def _emit(self, beats: deque[tuple[int, bool]]) -> None:
        if beats and beats[0][0] == self.cycle:
            self.events[Event.DRAM_WRITE] += 1
            self.finished = beats.popleft()[1]

"""The MixPE authors' mapping search: every loop order and power-of-two tiling of one operator.

Re-implemented from the equations of their simulator, a descendant of BitFusion's (which models a
systolic array with a loop nest over tiles around it).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations

import numpy as np
from numba import njit

from dovetail.arch.authors import AuthorsDesign, AuthorsModel, authors_model
from dovetail.errors import ConfigError
from dovetail.models.authors import AuthorsOp

LOOPS = ("batch", "width", "height", "in_channels", "out_channels")
ORDERS = tuple(permutations(range(len(LOOPS))))
_ORDERS = np.array(ORDERS, dtype=np.int64)
# Whether a loop (column, as in LOOPS) moves on to other weights, activations, outputs (row).
_DEPENDS = np.array([[0, 0, 0, 1, 1], [1, 1, 1, 1, 0], [1, 1, 1, 0, 1]], dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorsCost:
    """One operator under its best mapping.

    Attributes
    ----------
    tiles : tuple of int
        Tile size in each loop of ``LOOPS``.
    order : tuple of str
        Loops around the tile, outermost first.
    cycles, stall_cycles : int
        ``cycles - stall_cycles`` compute; stalls are the first load, the last store and what DRAM
        takes longer than the array in between.
    weight_read_bits ... dram_write_bits : int
        Traffic at each memory's port.
    """

    tiles: tuple[int, ...]
    order: tuple[str, ...]
    cycles: int
    stall_cycles: int
    weight_read_bits: int
    weight_write_bits: int
    activation_read_bits: int
    activation_write_bits: int
    output_read_bits: int
    output_write_bits: int
    dram_read_bits: int
    dram_write_bits: int


def best_mapping(op: AuthorsOp, design: AuthorsDesign) -> AuthorsCost:
    """The mapping of least cycles, and of least energy among those, by exhaustive search.

    Mappings that tie in both are equal in every published number; the first one found stands.
    """
    pe = authors_model().pe[design.pe]
    if op.bits > pe.max_bits:
        raise ConfigError(
            f"{op.name}: bits={op.bits} is wider than the {pe.max_bits} bits that the PE "
            f"{design.pe!r} takes; use narrower operands or another PE"
        )
    return _best_mapping(
        op.batch,
        op.size,
        op.kernel,
        op.in_channels,
        op.out_channels,
        op.bits,
        design.rows,
        design.cols,
        design.pe,
    )


@cache
def _best_mapping(
    batch: int,
    size: int,
    kernel: int,
    in_channels: int,
    out_channels: int,
    bits: int,
    rows: int,
    cols: int,
    pe: str,
) -> AuthorsCost:
    """:func:`best_mapping` by value, so that layers and designs of equal arrays share a search."""
    model = authors_model()
    platform = model.platform
    factor = model.pe[pe].factor(bits)
    found = _search(
        _ORDERS,
        _DEPENDS,
        np.array([batch, size, in_channels, out_channels], dtype=np.int64),
        kernel * kernel,
        bits,
        rows * factor,
        cols * factor,
        np.array([model.buffers[b].half_bits for b in ("weight", "activation", "output")]),
        platform.dram_port_bits,
        platform.output_bits,
        _tie_break_pj(model, rows * cols, pe),
    )
    if found[0] == 0:
        raise ConfigError(
            f"a tile of one row, one input and one output channel of kernel {kernel} x {kernel} "
            f"at {bits} bit does not fit half a buffer; no mapping exists"
        )
    numbers = [int(value) for value in found]
    return AuthorsCost(
        tiles=tuple(numbers[:5]),
        order=tuple(LOOPS[loop] for loop in ORDERS[numbers[5]]),
        cycles=numbers[6],
        stall_cycles=numbers[7],
        weight_read_bits=numbers[8],
        weight_write_bits=numbers[9],
        activation_read_bits=numbers[10],
        activation_write_bits=numbers[11],
        output_read_bits=numbers[12],
        output_write_bits=numbers[13],
        dram_read_bits=numbers[14],
        dram_write_bits=numbers[15],
    )


def _tie_break_pj(model: AuthorsModel, pes: int, pe: str) -> np.ndarray:
    """Energy per cycle, per computing cycle and per bit, in the order of the kernel's counts.

    Power in mW over a clock in MHz is nJ a cycle.
    """
    clock_mhz = model.platform.clock_mhz
    weight, activation, output = (model.buffers[b] for b in ("weight", "activation", "output"))
    dram = model.dram["tie_break"]
    leak_mw = weight.leak_mw + activation.leak_mw + output.leak_mw + dram.static_mw
    return np.array(
        [
            (1e6 * leak_mw + pes * model.pe[pe].leakage_nw) / clock_mhz * 1e-3,
            pes * model.pe[pe].dynamic_nw / clock_mhz * 1e-3,
            weight.read_pj_per_bit,
            weight.write_pj_per_bit,
            activation.read_pj_per_bit,
            activation.write_pj_per_bit,
            output.read_pj_per_bit,
            output.write_pj_per_bit,
            dram.read_pj_per_bit,
            dram.write_pj_per_bit,
        ]
    )


@njit(cache=True)
def _search(  # type: ignore[no-untyped-def]
    orders,
    depends,
    shape,
    kernel_area,
    bits,
    rows,
    cols,
    half_bits,
    port_bits,
    output_bits,
    tie_break_pj,
):
    """Kernel of :func:`best_mapping`.

    Parameters
    ----------
    orders : int64, shape (orders, 5)
        Loop orders, outermost first.
    depends : int64, shape (3, 5)
    shape : int64, shape (4,)
        Batch, output edge, input channels, output channels.
    rows, cols : int
        Array times the operations that one PE does in each direction.
    half_bits : int64, shape (3,)
        Half of each buffer: weights, activations, outputs.
    tie_break_pj : float64, shape (10,)

    Returns
    -------
    int64, shape (16,)
        Five tile sizes, index of the order, cycles, stalls, eight traffic counts in the order of
        :class:`AuthorsCost`; zeros where nothing fits.
    """
    best = np.zeros(16, dtype=np.int64)
    best_pj = 0.0
    tiles = np.zeros(5, dtype=np.int64)
    counts = np.zeros(5, dtype=np.int64)
    kept = np.zeros(3, dtype=np.bool_)
    moved = np.zeros(3, dtype=np.int64)
    edge = np.zeros(3, dtype=np.int64)
    batch = 1
    while True:
        size = 1
        while True:
            ins = 1
            while True:
                outs = 1
                while True:
                    tiles[0] = batch
                    tiles[1] = size
                    tiles[2] = size
                    tiles[3] = ins
                    tiles[4] = outs
                    counts[0] = -(-shape[0] // batch)
                    counts[1] = -(-shape[1] // size)
                    counts[2] = counts[1]
                    counts[3] = -(-shape[2] // ins)
                    counts[4] = -(-shape[3] // outs)
                    number = counts[0] * counts[1] * counts[2] * counts[3] * counts[4]
                    positions = batch * size * size
                    depth = kernel_area * ins
                    # Tiles are padded along the reduction: weights to the array's rows,
                    # activations to its columns.
                    weight_tile = -(-depth // rows) * rows * outs * bits
                    activation_tile = -(-depth // cols) * cols * positions * bits
                    output_tile = positions * outs * output_bits
                    compute = number * -(-positions // rows) * -(-outs // cols) * depth
                    # Computing alone already takes longer: no order of these tiles can win.
                    hopeless = best[6] > 0 and compute > best[6]
                    fits = weight_tile <= half_bits[0] and activation_tile <= half_bits[1]
                    if fits and not hopeless:
                        reads = number * positions * outs * depth * bits
                        results = number * output_tile
                        for o in range(orders.shape[0]):
                            moved[0] = weight_tile
                            moved[1] = activation_tile
                            moved[2] = output_tile
                            edge[:] = moved
                            kept[:] = True
                            # From the innermost loop out: what a loop touches stays in its
                            # buffer while it fits; from the first loop where it does not,
                            # every loop moves it again.
                            for position in range(4, -1, -1):
                                loop = orders[o, position]
                                for t in range(3):
                                    if not kept[t]:
                                        moved[t] *= counts[loop]
                                    elif depends[t, loop]:
                                        moved[t] *= counts[loop]
                                        kept[t] = moved[t] <= half_bits[t]
                                        if kept[t]:
                                            # The first load is all that is kept.  The last
                                            # store of kept outputs is 0 here: the source
                                            # takes it from the wrong table.
                                            edge[t] = 0 if t == 2 else moved[t]
                            first = edge[0] + edge[1]
                            middle = moved[0] + moved[1] + moved[2] - first - edge[2]
                            stalls = max(0, -(-middle // port_bits) - compute)
                            stalls += -(-first // port_bits) + -(-edge[2] // port_bits)
                            cycles = compute + stalls
                            if best[6] > 0 and cycles > best[6]:
                                continue
                            pj = cycles * tie_break_pj[0] + compute * tie_break_pj[1]
                            pj += reads * tie_break_pj[2] + moved[0] * tie_break_pj[3]
                            pj += reads * tie_break_pj[4] + moved[1] * tie_break_pj[5]
                            pj += (results + moved[2]) * tie_break_pj[6]
                            pj += results * tie_break_pj[7]
                            pj += (moved[0] + moved[1]) * tie_break_pj[8]
                            pj += moved[2] * tie_break_pj[9]
                            if best[6] == 0 or cycles < best[6] or pj < best_pj:
                                best_pj = pj
                                best[:5] = tiles
                                best[5] = o
                                best[6] = cycles
                                best[7] = stalls
                                best[8] = reads
                                best[9] = moved[0]
                                best[10] = reads
                                best[11] = moved[1]
                                best[12] = results + moved[2]
                                best[13] = results
                                best[14] = moved[0] + moved[1]
                                best[15] = moved[2]
                    if outs == shape[3]:
                        break
                    outs = min(2 * outs, shape[3])
                if ins == shape[2]:
                    break
                ins = min(2 * ins, shape[2])
            if size == shape[1]:
                break
            size = min(2 * size, shape[1])
        if batch == shape[0]:
            break
        batch = min(2 * batch, shape[0])
    return best

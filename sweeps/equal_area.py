"""Array shapes of equal area, so that two cores are compared for what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dovetail.arch.cores import Core
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.spad import power_of_two
from dovetail.arch.technology import Technology
from dovetail.errors import ConfigError

BAND = 0.05  # arrays of equal area differ from the baseline's by so much at most
MAX_ASPECT = 8  # as long as wide; longer arrays spend their time filling and draining


def arrays_as_large_as(
    base: GemmEngineConfig,
    baselines: Sequence[tuple[int, int]],
    *,
    technology: Technology,
    cores: Sequence[Core] = ("mixpe_w4a8", "int8"),
) -> tuple[tuple[Core, int, int], ...]:
    """Arrays of each core as large as each INT8 array of ``baselines`` (rows, columns)."""
    arrays: list[tuple[Core, int, int]] = []
    for rows, cols in baselines:
        arrays += equal_area_arrays(
            base,
            target_um2=technology.array_um2(replace(base, core="int8", rows=rows, cols=cols)),
            band=BAND,
            cores=cores,
            technology=technology,
        )
    return tuple(arrays)


def equal_area_arrays(
    base: GemmEngineConfig,
    *,
    target_um2: float,
    band: float,
    cores: Sequence[Core],
    technology: Technology,
) -> tuple[tuple[Core, int, int], ...]:
    """Arrays of each core whose area is ``target_um2`` within a relative ``band``.

    Columns are powers of two, since others leave part of every DRAM beat of weights unused.  For
    each, of the numbers of rows in the band the one that leaves least of a beat of activations
    unused is taken, and of equal ones that which comes nearest.

    Parameters
    ----------
    base : GemmEngineConfig
        Gives everything but core, rows and columns.
    target_um2 : float
        Area of the array alone: PEs, group sums and the core's dequantisers.
    band : float
        0.05 admits 95 % to 105 % of it.
    cores : sequence of str
    technology : Technology

    Returns
    -------
    tuple of (core, rows, cols)
        At least one for each core, widest last.
    """
    arrays: list[tuple[Core, int, int]] = []
    for core in cores:
        fitting: list[tuple[Core, int, int]] = []
        for cols in (4, 8, 16, 32, 64, 128, 256):
            within = {
                rows: abs(_array_um2(base, core, rows, cols, technology) / target_um2 - 1)
                for rows in range(-(-cols // MAX_ASPECT), min(256, MAX_ASPECT * cols) + 1)
            }
            choice = min(
                (rows for rows, apart in within.items() if apart <= band),
                key=lambda rows: (power_of_two(rows) / rows, within[rows]),
                default=None,
            )
            if choice is not None:
                fitting.append((core, choice, cols))
        if not fitting:
            raise ConfigError(
                f"no {core} array has an area within {band:.0%} of {target_um2:.0f} um2; "
                f"widen the band or change the area"
            )
        arrays += fitting
    return tuple(arrays)


def arrays_by_rows(
    base: GemmEngineConfig, *, target_um2: float, band: float, technology: Technology
) -> tuple[tuple[int, int], ...]:
    """Arrays (rows, columns) of ``base.core`` whose area is ``target_um2``, of every aspect.

    Rows are powers of two.  For each, of the numbers of columns in the band the one that leaves
    least of a beat of weights unused is taken, and of equal ones that which comes nearest.

    Parameters
    ----------
    base : GemmEngineConfig
        Gives everything but rows and columns.
    target_um2 : float
        Area of the array alone: units, group sums and the core's dequantisers.
    band : float
        0.05 admits 95 % to 105 % of it.
    technology : Technology

    Returns
    -------
    tuple of (rows, cols)
        At least one, longest first.
    """
    arrays: list[tuple[int, int]] = []
    for rows in (1, 2, 4, 8, 16, 32, 64, 128, 256):
        within = {
            cols: abs(_array_um2(base, base.core, rows, cols, technology) / target_um2 - 1)
            for cols in range(1, 257)
        }
        choice = min(
            (cols for cols, apart in within.items() if apart <= band),
            key=lambda cols: (power_of_two(cols) / cols, within[cols]),
            default=None,
        )
        if choice is not None:
            arrays.append((rows, choice))
    if not arrays:
        raise ConfigError(
            f"no {base.core} array has an area within {band:.0%} of {target_um2:.0f} um2; "
            f"widen the band or change the area"
        )
    return tuple(arrays)


def _array_um2(
    base: GemmEngineConfig, core: Core, rows: int, cols: int, technology: Technology
) -> float:
    # Large enough for any array here; buffers are no part of the array's area.
    engine = replace(
        base,
        core=core,
        rows=rows,
        cols=cols,
        activation_buffer_bytes=1 << 24,
        weight_buffer_bytes=1 << 24,
        scale_buffer_bytes=1 << 24,
        accumulator_buffer_bytes=1 << 24,
    )
    return technology.array_um2(engine)

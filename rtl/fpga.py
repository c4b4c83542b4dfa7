"""Synthesis of one component for an FPGA: how many LUTs, registers, carries, DSPs and memories.

The leaves that a component places are mapped once each and stay boundaries; an engine's count is
the sum over its modules, each times its instances.  So a column of PEs is mapped once, and a
32 x 32 engine takes little longer than a small one.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

from dovetail.errors import ToolError
from dovetail.rtl.fpga_cells import count_cells
from dovetail.rtl.leaf import Leaf
from dovetail.rtl.mixpe.packed_pe import PackedPePair, packed_pair
from dovetail.rtl.verilog import rtlil_modules
from dovetail.rtl.yosys import run_yosys

__all__ = ["FAMILIES", "Family", "FpgaModule", "FpgaReport", "synthesize_fpga"]

Family = Literal["xcup", "xc7"]
"""UltraScale+ and 7 series."""

FAMILIES: tuple[Family, ...] = get_args(Family)


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
    shell: bool = False,
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
    shell : bool
        Leave the leaves empty: what is counted is all that lies between them
        (:mod:`dovetail.rtl.fpga_parts`).

    Raises
    ------
    ToolError
        Yosys failed, ``pack_dsp`` where no PEs can be paired, or ``uram`` where there is none.
    """
    # First, because Amaranth warns of a component that is thrown away unused.
    design = rtlil_modules(component, name=name)
    if uram and family != "xcup":
        raise ToolError(f"{family} has no UltraRAM; leave it out")
    kept = _kept(component, pack_dsp, flat) - _wires(design)
    netlist = _map(design, name, family, dsp=dsp, uram=uram, kept=kept, empty=shell)
    instances = _instances(netlist, name)
    modules = [
        FpgaModule(
            name=module,
            instances=instances[module],
            resources=count_cells(
                {} if shell and module in kept else netlist[module]["cells"],
                carry8=family == "xcup",
                modules=netlist,
            ),
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


def _wires(design: Sequence[str]) -> set[str]:
    """Modules without logic, which ABC does not map alone: they dissolve, and count nothing."""
    logic = re.compile(r"^\s*(cell|process) ", re.MULTILINE)
    names = re.compile(r"^module \\(\S+)", re.MULTILINE)
    return {name for text in design if not logic.search(text) for name in names.findall(text)}


def _map(
    design: Sequence[str],
    name: str,
    family: Family,
    *,
    dsp: bool,
    uram: bool,
    kept: set[str],
    empty: bool,
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
        boundary = "blackbox" if empty else "setattr -mod -set keep_hierarchy 1"
        commands += [f"{boundary} {leaf}" for leaf in sorted(kept)]
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

"""The registry: the only place that lists the systems and says where their parts are.

An entry names its parts as ``"module:attribute"``; :func:`resolve` imports them on use, so that
listing the systems loads none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from dovetail.errors import ConfigError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class System:
    """One accelerator family.

    A *design* of any system has ``engine`` (what the RTL builds and a technology prices, with
    ``clock_mhz``), ``to_dict()`` and ``design_id``.

    Attributes
    ----------
    name, title : str
        What a person types, and one line that says what it is.
    design : str
        ``(values: dict, *, source: str) -> design``; raises ConfigError.
    preset, presets : str
        ``(name: str) -> design`` and ``() -> names``.
    default_preset : str
        The preset that commands take where none is named; it must be the system itself, not one
        of the baselines among its presets.
    simulate : str or None
        ``(design, trace) -> RunResult``, cycle-exact.
    timeline : str or None
        ``(design, RunResult) -> dict`` in Chrome's trace-event format, which Perfetto opens.
    component, verilog : str
        ``(engine) -> wiring.Component`` and ``(engine) -> str``.
    verify : str
        ``(system name, *, preset, seeds, seed, waves, progress) -> VerifyReport``.
    certify : str or None
        ``(design, trace, *, seed) -> Certificate``.
    error : str or None
        ``(design) -> float``: 1 - cosine of the real-weight network's output in this design's
        formats against floating point.
    error_fields : tuple of str
        Fields of the design on which that error depends.
    technology : str or None
        Name of the technology table used unless told otherwise; None where no table prices the
        system's units, so that runs report neither energy nor area.
    accountings : mapping of str to str
        Other cost models than the simulator, by name: ``(design, trace)`` to an object with
        ``cycles``, ``stall_cycles``, ``macs``, ``utilization`` and ``energy``, a dataclass of
        parts in pJ.
    measures : str
        A :class:`dovetail.sweeps.measures.Measures`: what the system's sweeps measure beside
        cycles, energy and area; empty where there is nothing.
    sweeps : mapping of str to str
        Name to ``() -> Sweep``.
    units : tuple of str
        Parts that are synthesised and priced alone.
    findings : str
        ``(Study) -> Findings``: what the report of any sweep says of the system's parts, of
        :mod:`dovetail.reports.findings`; empty where there is nothing.
    papers : mapping of str to str
        Name of a paper to ``() -> rows`` of its published figures beside ours.
    """

    name: str
    title: str
    design: str
    preset: str
    presets: str
    default_preset: str
    component: str
    verilog: str
    verify: str
    simulate: str | None = None
    timeline: str | None = None
    certify: str | None = None
    error: str | None = None
    error_fields: tuple[str, ...] = ()
    technology: str | None = "nangate45"
    accountings: Mapping[str, str] = field(default_factory=dict)
    measures: str = ""
    sweeps: Mapping[str, str] = field(default_factory=dict)
    units: tuple[str, ...] = ()
    findings: str = ""
    papers: Mapping[str, str] = field(default_factory=dict)


_SYSTEMS = {
    "deform": System(
        name="deform",
        title="1x1 and 3x3 depthwise convolutions with square, bounded, rounded offsets (CoDeNet)",
        design="dovetail.arch.deform:deform_design",
        preset="dovetail.arch.deform:preset",
        presets="dovetail.arch.deform:presets",
        default_preset="codenet",
        simulate="dovetail.sim.deform_network:simulate_network",
        timeline="dovetail.sim.deform_timeline:deform_timeline",
        component="dovetail.rtl.deform.engine:DeformEngine",
        verilog="dovetail.rtl.deform.engine:deform_verilog",
        verify="dovetail.lockstep.deform:verify",
        certify="dovetail.lockstep.deform_certify:certify",
        technology=None,
        measures="dovetail.sweeps.deform_measures:MEASURES",
        sweeps={
            "deform_variants": "dovetail.sweeps.deform_zu3eg:variants",
            "deform_zu3eg": "dovetail.sweeps.deform_zu3eg:design_space",
        },
        findings="dovetail.reports.deform_findings:findings",
        papers={"deformable-conv": "dovetail.sweeps.reproduce_deform:rows"},
    ),
    "lut": System(
        name="lut",
        title="table lookup: symmetric tables of activations, indexed by bit planes of weights",
        design="dovetail.arch.lut:lut_design",
        preset="dovetail.arch.lut:preset",
        presets="dovetail.arch.lut:presets",
        default_preset="w2a8-m2n64k4",
        simulate="dovetail.sim.lut:simulate",
        timeline="dovetail.sim.timeline:timeline",
        component="dovetail.rtl.engines:engine",
        verilog="dovetail.rtl.engines:engine_verilog",
        verify="dovetail.lockstep.lut:verify",
        certify="dovetail.lockstep.lut:certify",
        error="dovetail.sweeps.lut_error:output_error",
        error_fields=(
            "weight_bits",
            "levels",
            "group",
            "engine.core",
            "engine.lut_k",
            "engine.table",
            "engine.sum_format",
        ),
        technology="nangate45",
        sweeps={
            "lut_equal_area": "dovetail.sweeps.lut_equal_area:sweep",
            "lut_formats": "dovetail.sweeps.lut_formats:sweep",
        },
        units=(
            "add.group_sum_int8",
            "add.unit_int8",
            "lut.accumulate_int16",
            "lut.accumulate_int8",
            "lut.dequant_fp16",
            "lut.dequant_int16",
            "lut.dequant_int8",
            "lut.group_sum_fp16",
            "lut.group_sum_int16",
            "lut.group_sum_int8",
            "lut.head_fp16",
            "lut.head_fp8",
            "lut.head_int16",
            "lut.head_int8",
            "lut.output_round_int16",
            "lut.unit_fp16",
            "lut.unit_int16",
            "lut.unit_int8",
            "mac.unit_int8",
        ),
        papers={"lut-tensor-core": "dovetail.sweeps.reproduce_lut:rows"},
    ),
    "m3vit": System(
        name="m3vit",
        title="vision transformer with a mixture of experts: both halves of a block (Edge-MoE)",
        design="dovetail.arch.m3vit.design:m3vit_design",
        preset="dovetail.arch.m3vit.design:preset",
        presets="dovetail.arch.m3vit.design:presets",
        default_preset="moe-edge-moe",
        simulate="dovetail.sim.m3vit_network:simulate_encoder",
        component="dovetail.rtl.m3vit.engines:block_engine",
        verilog="dovetail.rtl.m3vit.engines:block_verilog",
        verify="dovetail.lockstep.m3vit:verify",
        technology=None,
        measures="dovetail.sweeps.m3vit_measures:MEASURES",
        sweeps={
            "m3vit_attention": "dovetail.sweeps.m3vit_blocks:attention",
            "m3vit_mixture": "dovetail.sweeps.m3vit_blocks:mixture",
        },
        papers={"m3vit": "dovetail.sweeps.reproduce_m3vit:rows"},
    ),
    "mixpe": System(
        name="mixpe",
        title="mixed-precision shift-and-add PEs, dequantised after each group",
        design="dovetail.arch.mixpe:mixpe_design",
        preset="dovetail.arch.mixpe:preset",
        presets="dovetail.arch.mixpe:presets",
        default_preset="w4a8-32x32",
        simulate="dovetail.sim.mixpe:simulate",
        timeline="dovetail.sim.timeline:timeline",
        component="dovetail.rtl.engines:engine",
        verilog="dovetail.rtl.engines:engine_verilog",
        verify="dovetail.lockstep:verify",
        certify="dovetail.lockstep:certify",
        error="dovetail.sweeps.mixpe_error:output_error",
        error_fields=("group", "zero_point", "engine.core", "engine.sum_format"),
        technology="nangate45",
        accountings={"authors": "dovetail.sim.authors:account_as_authors"},
        sweeps={
            "demo": "dovetail.sweeps.demo:sweep",
            "mixpe_ablation_asap7": "dovetail.sweeps.mixpe_ablation:asap7",
            "mixpe_ablation_nangate45": "dovetail.sweeps.mixpe_ablation:nangate45",
            "mixpe_ablation_sky130hd": "dovetail.sweeps.mixpe_ablation:sky130hd",
            "mixpe_vs_int8": "dovetail.sweeps.mixpe_vs_int8:sweep",
            "mixpe_vs_int8_asap7": "dovetail.sweeps.mixpe_vs_int8:asap7",
            "mixpe_vs_int8_sky130hd": "dovetail.sweeps.mixpe_vs_int8:sky130hd",
        },
        units=(
            "dequant.pe_w4a16",
            "dequant.pe_w4a8",
            "floating.accumulate_scaled",
            "floating.accumulate_sum",
            "floating.dequant",
            "floating.group_sum",
            "floating.output_round",
            "fp16.pe",
            "gemm.accumulate",
            "gemm.output_round",
            "gemm.register_bit",
            "int4.dequant",
            "int4.group_sum",
            "int4.pe",
            "int8.pe",
            "int8.pe_shift_add",
            "int8.weight_dequant",
            "mixpe.dequant",
            "mixpe.group_sum",
            "mixpe.pe_w4a16",
            "mixpe.pe_w4a8",
            "mixpe.pe_w4a8_multiplier",
            "mixpe.scale_queue",
        ),
        findings="dovetail.reports.mixpe_findings:findings",
        papers={"mixpe": "dovetail.sweeps.reproduce_mixpe:rows"},
    ),
}


def papers() -> dict[str, str]:
    """Every paper's name and its ``() -> rows``."""
    return {name: path for entry in _SYSTEMS.values() for name, path in entry.papers.items()}


def register(entry: System) -> None:
    """Add a system of one's own to this process; its name must be new."""
    if entry.name in _SYSTEMS:
        raise ConfigError(
            f"a system named {entry.name!r} is registered already; choose another name"
        )
    _SYSTEMS[entry.name] = entry


def systems() -> tuple[System, ...]:
    """Every registered system, by name."""
    return tuple(_SYSTEMS[name] for name in sorted(_SYSTEMS))


def system(name: str) -> System:
    """Return the system called ``name``."""
    if name not in _SYSTEMS:
        raise ConfigError(
            f"no system named {name!r}; {did_you_mean(name, _SYSTEMS)}the systems are "
            f"{', '.join(sorted(_SYSTEMS))}"
        )
    return _SYSTEMS[name]


def resolve(path: str) -> Any:
    """Import what ``"module:attribute"`` names."""
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)


_PARTS = {
    "simulate": "simulation of a network",
    "timeline": "timeline",
    "certify": "certificates",
    "error": "error of a network's output",
}


def part(entry: System, name: str) -> Any:
    """Import the part of ``entry`` that not every system has, such as ``"simulate"``."""
    path = getattr(entry, name)
    if path is None:
        others = [other.name for other in systems() if getattr(other, name) is not None]
        raise ConfigError(
            f"system {entry.name!r} has no {_PARTS[name]}; those that have are {', '.join(others)}"
        )
    return resolve(path)

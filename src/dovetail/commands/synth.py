"""``dovetail synth``: what a unit or an engine takes of a cell library or of an FPGA."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dovetail.commands.design import AsJson, Changes, Preset
from dovetail.errors import ConfigError

if TYPE_CHECKING:
    from dovetail.commands.synth_target import Target
    from dovetail.rtl.stimulus import Stimulus

_ACTIVITIES = ("real", "random", "zero", "uniform")
_UNIT_CLOCK_MHZ = 500.0


def synth(
    name: Annotated[
        str, typer.Argument(metavar="SYSTEM|UNIT", help="a system or a unit: see `dovetail list`")
    ],
    preset: Preset = None,
    change: Changes = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="N", help="a unit's longest group, depth, or format of sums"),
    ] = None,
    liberty: Annotated[
        list[Path] | None,
        typer.Option(metavar="F", help="a Liberty file, plain or .gz; once for each file"),
    ] = None,
    clock_mhz: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="C", help="clock to size for; a design's own, or 500"),
    ] = None,
    activity: Annotated[
        str | None,
        typer.Option(metavar="A", help="operands: real (default), random, zero; or uniform"),
    ] = None,
    fpga: Annotated[
        str | None, typer.Option(metavar="FAMILY", help="xcup (UltraScale+) or xc7 (7 series)")
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(metavar="D", help="an FPGA to compare with; all of the family unless given"),
    ] = None,
    no_dsp: Annotated[bool, typer.Option("--no-dsp", help="multiply in LUTs, not in DSPs")] = False,
    pack_dsp: Annotated[
        bool, typer.Option("--pack-dsp", help="count two W4A8 PEs as a pair around one DSP")
    ] = False,
    uram: Annotated[bool, typer.Option("--uram", help="large memories may be UltraRAM")] = False,
    json: AsJson = False,
) -> None:
    """Synthesise: area, clock, energy and leakage with a cell library, or what an FPGA needs.

    Exits with 1 where the netlist does not meet the clock.

    With a cell library a system is the sum of its units; its memories are listed beside it.

    Example: dovetail synth mixpe.pe_w4a8 --liberty nangate45_typ.lib.gz

    Example: dovetail synth mixpe --preset w4a8-32x32 --fpga xcup --device zu3eg
    """
    from dovetail.commands.output import print_json
    from dovetail.commands.synth_target import target

    if bool(liberty) == bool(fpga):
        raise ConfigError(
            f"{'both' if fpga else 'neither'} of --liberty and --fpga given; synthesis is either "
            f"for a cell library or for an FPGA: give one"
        )
    _belongs({"--clock-mhz": clock_mhz, "--activity": activity}, "--liberty", given=bool(liberty))
    _belongs(
        {"--device": device, "--no-dsp": no_dsp, "--pack-dsp": pack_dsp, "--uram": uram},
        "--fpga",
        given=bool(fpga),
    )
    if fpga:
        chosen = _fpga_options(fpga, device)
        subject = target(name, preset, change, size)
        data = _fpga(subject, *chosen, no_dsp, pack_dsp, uram, quiet=json)
    else:
        kind = activity or "real"
        if kind not in _ACTIVITIES:
            raise ConfigError(
                f"--activity {kind}: must be one of {', '.join(_ACTIVITIES)}; change it"
            )
        subject = target(name, preset, change, size)
        data = _asic(subject, liberty or [], clock_mhz, kind, quiet=json)
    if json:
        print_json({**subject.described, **data})
    if not data.get("meets_clock", True):
        raise typer.Exit(1)


def _belongs(options: dict[str, Any], to: str, *, given: bool) -> None:
    """Refuse options that mean nothing without ``to``."""
    stray = [option for option, value in options.items() if value]
    if stray and not given:
        verb, it = ("belongs", "it") if len(stray) == 1 else ("belong", "them")
        raise ConfigError(f"{', '.join(stray)} {verb} to {to}; leave {it} out, or give {to}")


def _fpga_options(family: str, names: list[str] | None) -> tuple[Any, list[Any]]:
    from dovetail.arch.devices import device, devices
    from dovetail.rtl.fpga import FAMILIES

    if family not in FAMILIES:
        raise ConfigError(f"--fpga {family}: the families are {', '.join(FAMILIES)}; choose one")
    boards = [device(name) for name in names or devices()]
    for board in boards:
        if names and board.family != family:
            raise ConfigError(
                f"--device {board.name} is of family {board.family}, not {family}; "
                f"give --fpga {board.family}"
            )
    return family, [board for board in boards if board.family == family]


def _fpga(
    subject: Target,
    family: Any,
    boards: list[Any],
    no_dsp: bool,
    pack_dsp: bool,
    uram: bool,
    *,
    quiet: bool,
) -> dict[str, Any]:
    from dovetail.commands.synth_report import fpga_data, print_fpga
    from dovetail.rtl.fpga import synthesize_fpga

    report = synthesize_fpga(
        subject.build(),
        name="engine" if subject.engine else "unit",
        family=family,
        dsp=not no_dsp,
        pack_dsp=pack_dsp,
        uram=uram,
    )
    if not quiet:
        print_fpga(f"{subject.title}, {family}", report, boards)
    return fpga_data(report, boards)


def _asic(
    subject: Target, liberty: list[Path], clock_mhz: float | None, kind: str, *, quiet: bool
) -> dict[str, Any]:
    from dovetail.commands.output import progress_bar
    from dovetail.commands.synth_report import engine_data, print_engine, print_unit, unit_data
    from dovetail.rtl.engine_synth import synthesize_engine
    from dovetail.rtl.synth import synthesize

    def operands(unit: str, size: Any) -> Stimulus | None:
        return _operands(unit, size, kind)

    if subject.engine is None:
        report = synthesize(
            subject.build(),
            name="unit",
            liberty=liberty,
            clock_mhz=clock_mhz or _UNIT_CLOCK_MHZ,
            stimulus=operands(subject.name, subject.size),
        )
        if not quiet:
            print_unit(subject.title, report)
        return unit_data(report)
    clock = clock_mhz or subject.engine.clock_mhz
    with progress_bar(f"synth {subject.name}", unit="units") as move:
        synthesis = synthesize_engine(
            subject.engine, liberty=liberty, clock_mhz=clock, stimulus=operands, progress=move
        )
    if not quiet:
        print_engine(f"{subject.title}, {clock:g} MHz", synthesis)
    return {"clock_mhz": clock, **engine_data(synthesis)}


def _operands(unit: str, size: Any, kind: Any) -> Stimulus | None:
    """What drives a unit's netlist; None for equal toggles on all nets."""
    from dovetail.arch.dot_units import DOT_UNITS
    from dovetail.commands.output import note
    from dovetail.stimuli import stimulated_units, stimulus

    if kind == "uniform":
        return None
    if unit not in (*stimulated_units(), *DOT_UNITS):
        note(f"{unit}: no {kind} operands are known for it; every net toggles equally often")
        return None
    return stimulus(unit, kind=kind, size=size)

"""rtl/asic/cell_models.py: equal to what Yosys makes of the same Liberty file, cell by cell."""

import gzip
from pathlib import Path

import pytest

from dovetail.errors import ToolError
from dovetail.rtl.asic.cell_class import cell_class
from dovetail.rtl.asic.cell_models import cell_models
from dovetail.rtl.asic.liberty import Library
from dovetail.rtl.yosys import run_yosys
from dovetail.tests.rtl.asic.tiny import TINY
from dovetail.tests.rtl.liberty import liberty

CELLS = {
    "nangate45_typ.lib.gz": (
        "AND4_X1 AOI222_X1 BUF_X1 FA_X1 HA_X1 INV_X1 MUX2_X1 NAND3_X1 OAI211_X1 XNOR2_X1 XOR2_X1 "
        "DFF_X1 DFFR_X1 DFFS_X1 SDFF_X1 DLH_X1 DLL_X1"
    ),
    "sky130hd_tt.lib.gz": " ".join(
        f"sky130_fd_sc_hd__{name}"
        for name in (
            "a2111oi_1 a21bo_1 fa_1 ha_1 maj3_1 mux2_1 mux4_1 nand2b_1 nor4bb_1 o2bb2a_1 xnor3_1 "
            "xor2_1 dfxtp_1 dfxbp_1 dfrtp_1 dfstp_1 dfbbp_1 dfrtn_1 dlxtp_1 edfxtp_1"
        ).split()
    ),
    "asap7sc7p5t_SIMPLE_RVT_TT_nldm_211120.lib.gz": " ".join(
        f"{name}_ASAP7_75t_R"
        for name in (
            "AND2x2 FAx1 HAxp5 MAJIxp5 MAJx2 NAND2xp5 NOR3xp33 OR5x1 XNOR2xp5 XOR2x1"
        ).split()
    ),
    "asap7sc7p5t_SEQ_RVT_TT_nldm_220123.lib.gz": " ".join(
        f"{name}_ASAP7_75t_R" for name in "DFFHQNx1 DFFLQNx1 DFFASRHQNx1 SDFHx1 DLLx1 DHLx1".split()
    ),
}


@pytest.mark.parametrize("file", CELLS)
def test_a_model_is_what_yosys_reads_from_the_library(file: str, tmp_path: Path) -> None:
    path = liberty(file)
    library = Library([path])
    names = CELLS[file].split()
    (tmp_path / "whole.lib").write_bytes(gzip.decompress(path.read_bytes()))
    (tmp_path / "models.v").write_text(cell_models(library.cell(name) for name in names))
    commands = ["read_liberty -ignore_miss_func -ignore_miss_data_latch whole.lib"]
    commands += [f"rename {name} gold_{name}" for name in names]
    commands += ["read_verilog models.v", "proc", "async2sync", "opt_clean"]
    for name in names:
        commands += [
            f"miter -equiv -flatten gold_{name} {name} miter_{name}",
            # All registers start with 0; two steps show what they store and what they show.
            f"sat -verify -tempinduct -set-init-undef -maxsteps 4 -prove trigger 0 miter_{name}"
            if not library.cell(name).register
            else f"sat -verify -seq 2 -set-init-zero -prove trigger 0 miter_{name}",
        ]
    run_yosys(commands, folder=tmp_path)


def test_a_register_that_is_cleared_and_preset_at_once_does_what_the_library_says(
    tmp_path: Path,
) -> None:
    text = TINY.replace(
        'clear : "!RN"',
        'clear : "!RN"; preset : "D"; clear_preset_var1 : L; clear_preset_var2 : L',
    )
    (tmp_path / "tiny.lib").write_text(text)
    model = cell_models([Library([tmp_path / "tiny.lib"]).cell("DFF")])
    assert model.splitlines() == [
        "module DFF (CK, D, RN, Q);",
        "  input CK;",
        "  input D;",
        "  input RN;",
        "  output Q;",
        "  reg IQ;",
        "  wire IQN;",
        "  always @(posedge CK or negedge RN or posedge D)",
        "    if (~RN) IQ <= 1'b0;",
        "    else if (D) IQ <= 1'b1;",
        "    else IQ <= D;",
        "  assign IQN = (~RN & D) ? 1'b0 : ~IQ;",
        "  assign Q = IQ;",
        "endmodule",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'function : "A B";',
            "",
            r"^cell AND2 has no function for its output Y; take it out of the library$",
        ),
        (
            'clear : "!RN"',
            'clear : "!RN & D"',
            r"^cell DFF is clocked, cleared or preset by \(~RN & D\); only a pin or its complement "
            r"can be modelled$",
        ),
    ],
)
def test_refuses_what_it_cannot_model(old: str, new: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "tiny.lib").write_text(TINY.replace(old, new))
    library = Library([tmp_path / "tiny.lib"])
    with pytest.raises(ToolError, match=message):
        cell_models([library.cell("AND2"), library.cell("DFF")])


@pytest.mark.parametrize("file", CELLS)
def test_cells_fall_into_the_class_that_their_name_says(file: str) -> None:
    classes = {
        "registers": ("DFF", "SDF", "DL", "DHL", "df", "dl", "edf"),
        "adders": ("FA", "HA", "fa", "ha"),
        "xor": ("XOR", "XNOR", "xor", "xnor"),
        "muxes": ("MUX", "mux"),
        "inverters and buffers": ("INV", "BUF"),
    }
    library = Library([liberty(file)])
    for name in CELLS[file].split():
        short = name.removeprefix("sky130_fd_sc_hd__")
        want = [kind for kind, prefixes in classes.items() if short.startswith(prefixes)]
        assert cell_class(library.cell(name)) == (want or ["other logic"])[0], name

"""sweeps/mixpe_verdict.py: the sentences, on tables that one can multiply in one's head."""

from typing import Any

import pandas as pd

from dovetail.sweeps.mixpe_design_space import design_space
from dovetail.sweeps.mixpe_verdict import design_spaces, verdict
from dovetail.sweeps.reproduce_mixpe import published
from dovetail.tests.sweeps.pe_tables import table

# Areas; power goes with them, so that the ratio of two PEs is that of their areas squared.
BASE = {
    "fp16.pe": 400.0,
    "int8.pe": 160.0,
    "int8.pe_shift_add": 200.0,
    "mixpe.pe_w4a8": 100.0,
    "mixpe.pe_w4a16": 200.0,
}
PAPER: dict[str, Any] = {
    "pe_w4a8": {
        "pe": "mixpe.pe_w4a8",
        "baseline": "int8.pe",
        "value": 2.0,
        "tolerance": 0.3,
    },
    "pe_w4a16": {
        "pe": "mixpe.pe_w4a16",
        "baseline": "fp16.pe",
        "value": 8.0,
        "tolerance": 0.3,
    },
}


def space(name: str, multiplier: float) -> pd.DataFrame:
    areas = BASE | {"mixpe.pe_w4a8_multiplier": multiplier}
    return design_space(
        [table(name, {pe: (area, area / 2e3, area / 2e3, 1e-9) for pe, area in areas.items()})]
    )


def test_every_library_is_said_to_win_or_to_lose() -> None:
    text = verdict({"Aa": space("a", 140.0), "Bb": space("b", 90.0)}, PAPER)
    assert "shift-and-add over multiplier (Aa at 500 MHz, Bb at 500 MHz):" in text
    assert (
        "with INT4 weights (mixpe.pe_w4a8 over mixpe.pe_w4a8_multiplier) 1.96 in Aa (100 against "
        "140 µm², 50 against 70 µW); 0.81 in Bb (100 against 90 µm², 50 against 45 µW): "
        "shift-and-add wins in Aa" in text
    )
    assert "0.64 in Bb (200 against 160 µm²" in text
    assert "shift-and-add wins in none of them." in text
    # log 1.96 / log 2.56, and log 0.81 / log 2.56: there it takes from the gain.
    assert "comes out as 2.56 in Aa, 2.56 in Bb, within 30% of it in all of them." in text
    assert "Of that gain, in logarithms, 72%, -22% are shift-and-add's;" in text
    assert "The paper's 8 (mixpe.pe_w4a16 over fp16.pe) comes out as 4.00 in Aa" in text
    assert text.endswith("within 30% of it in none of them.")


def test_the_report_speaks_of_all_three_libraries() -> None:
    assert list(design_spaces()) == list(published()["libraries"]) and len(design_spaces()) == 3
    text = verdict()
    for label, frame in design_spaces().items():
        rows = frame.set_index("pe")
        for pe in ("mixpe.pe_w4a8", "mixpe.pe_w4a8_multiplier"):
            assert f"{rows.loc[pe, 'area_um2']:.4g}" in text, (label, pe)
        gain = rows.loc["mixpe.pe_w4a16", "relative"]
        assert f"{gain:.2f} in {label}" in text
    for value in ("2.29", "4.82"):
        assert f"The paper's {value} (" in text

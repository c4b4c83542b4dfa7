"""sweeps/m3vit_fpga.py: the stored counts, the document that shows them, and a few made anew."""

from pathlib import Path

import pytest

from dovetail.arch.devices import device
from dovetail.sweeps.m3vit_fpga import COLUMNS, markdown, measure, parts, table

ROOT = Path(__file__).resolve().parents[2]


def test_every_part_is_stored() -> None:
    stored = table()
    assert tuple(stored.columns) == COLUMNS
    keys = list(zip(stored["part"], stored["sizes"], stored["uram_allowed"], strict=True))
    assert keys == [(part.name, part.sizes, part.uram) for part in parts()]


def test_the_document_shows_the_stored_counts() -> None:
    assert markdown() in (ROOT / "docs" / "fpga.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["reciprocal", "top_k"])
def test_small_parts_still_take_as_much(name: str) -> None:
    stored = table().set_index("part").loc[name].to_dict()
    (part,) = [part for part in parts() if part.name == name]
    assert {"part": name, **stored} == measure(part)


def test_a_whole_contains_its_parts() -> None:
    counts = table().set_index("part")["dsp"]
    block = counts["attention_scores"] + counts["attention_values"]
    assert counts["attention_block"] == block
    assert counts["attention_engine"] >= block + counts["linear_engine"] + counts["norm_pass"]


def test_a_product_of_32_bits_takes_four_dsps() -> None:
    # 27 x 18 bits each: 32 x 32 is 2 x 2 of them; 8 lanes meet p = 4 queries in 2 products.
    counts = table().set_index("part")["dsp"]
    assert counts["attention_block"] >= 2 * 4 * 8 * 4


def test_what_is_on_chip_of_a_zcu104() -> None:
    # 312 block RAMs of 36 kbit and 96 UltraRAMs of 288 kbit.
    limits = device("xczu7ev").limits
    bits = (36 * limits["bram36"] + 288 * limits["uram"]) << 10
    assert bits / (8 << 20) == pytest.approx(4.746, abs=5e-4)
    assert 4.840 * (8 << 20) / bits == pytest.approx(1.02, abs=5e-4)

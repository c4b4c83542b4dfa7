# amaranth: UnusedElaboratable=no
"""rtl/fpga_parts.py against the synthesis of the whole."""

from typing import Any

from dovetail.rtl.deform.requantise import RequantiseLane, Requantiser
from dovetail.rtl.fpga import synthesize_fpga
from dovetail.rtl.fpga_parts import count_by_parts
from dovetail.rtl.leaf import Leaf


def _requantiser(lanes: int) -> Requantiser:
    return Requantiser(lanes=lanes, lane=Leaf("deform_requantise", RequantiseLane()))


def test_parts_add_up_to_the_whole_and_a_leaf_is_synthesised_once(monkeypatch: Any) -> None:
    whole = synthesize_fpga(_requantiser(3), name="dut", family="xcup").resources
    built = []
    monkeypatch.setattr(
        "dovetail.rtl.fpga_parts.synthesize_fpga",
        lambda part, **options: built.append(type(part)) or synthesize_fpga(part, **options),
    )
    known: dict[Any, Any] = {}
    assert count_by_parts(_requantiser(3), name="dut", family="xcup", known=known) == whole
    assert built == [Requantiser, RequantiseLane]
    (lane,) = known.values()
    assert whole["dsp"] == 3 * lane["dsp"] > 0 and whole["ff"] > 3 * lane["ff"] > 0

"""rtl/asic/netlist.py: ports of which a part is constant."""

import json

from dovetail.rtl.asic.netlist import read_netlist


def test_constant_bits_of_an_output_have_no_net_but_count_in_its_width() -> None:
    module = {
        "ports": {
            "i": {"direction": "input", "bits": [2]},
            "o": {"direction": "output", "bits": ["0", 3, "1"]},
        },
        "cells": {"u1": {"type": "INV", "connections": {"A": [2], "Z": [3], "X": ["0"]}}},
        "netnames": {"i": {"bits": [2]}, "o": {"bits": ["0", 3, "1"]}},
    }
    netlist = read_netlist(json.dumps({"modules": {"top": module}}), top="top")
    assert netlist.outputs == {"o": [3]}
    assert netlist.output_bits == {"o": 3}
    assert netlist.instances[0].nets == {"A": 2, "Z": 3}
    assert netlist.names == {2: "i", 3: "o[1]"}

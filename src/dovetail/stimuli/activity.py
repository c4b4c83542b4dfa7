"""How much the operands of a stimulus switch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dovetail.rtl.stimulus import Stimulus


def activity_summary(stimulus: Stimulus, widths: Mapping[str, int]) -> dict[str, float]:
    """Mean toggles per bit and cycle of each input port, and of all bits together as ``all``.

    Parameters
    ----------
    stimulus : Stimulus
    widths : dict of str to int
        Bits of each input port, as :func:`dovetail.stimuli.ports.input_widths` gives them.
    """
    steps = stimulus.cycles - 1
    toggles = {
        name: int(np.bitwise_count(values[1:] ^ values[:-1]).sum())
        for name, values in stimulus.inputs.items()
    }
    summary = {name: count / (steps * widths[name]) for name, count in toggles.items()}
    summary["all"] = sum(toggles.values()) / (steps * sum(widths[name] for name in toggles))
    return summary

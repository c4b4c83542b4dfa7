"""Edge-MoE's cumulative ablation ladder as schedule-level designs, baseline first."""

from __future__ import annotations

from dataclasses import replace

from dovetail.arch.m3vit.schedule import ScheduleDesign, schedule_preset

SEPARATE_UNITS = 3
"""Linear units of the baseline: for attention, dense MLP and experts."""


def ladder() -> dict[str, ScheduleDesign]:
    """Each step with all before it; the last is Edge-MoE.

    What exact GELU costs in the baseline is not published and is not modelled, so the step of the
    table changes nothing here.
    """
    whole = schedule_preset("edge-moe-zcu102")
    unified = replace(whole, attention_reordered=False)
    table = replace(unified, linear_units=SEPARATE_UNITS)
    reordered = replace(table, softmax_passes=3)
    baseline = replace(reordered, schedule="cached", cache_experts=1, prefetch="none")
    return {
        "baseline": baseline,
        "expert reordering": reordered,
        "single-pass softmax": table,
        "GELU table": table,
        "unified linear unit": unified,
        "attention reordering": whole,
    }

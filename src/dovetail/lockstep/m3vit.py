"""``dovetail verify m3vit``: units, chains of layers and both halves of a block, three ways."""

from __future__ import annotations

from typing import Any

from dovetail.lockstep.chain import CHAIN_PLAN
from dovetail.lockstep.m3vit_attention import ATTENTION_PLAN
from dovetail.lockstep.m3vit_moe import MOE_PLAN
from dovetail.lockstep.m3vit_units import UNIT_PLAN
from dovetail.lockstep.verify import VerifyReport
from dovetail.lockstep.verify import verify as verify_plans

__all__ = ["PLANS", "verify"]

PLANS = (UNIT_PLAN, CHAIN_PLAN, ATTENTION_PLAN, MOE_PLAN)
"""Seeds are dealt to them in turn."""


def verify(system: str, **options: Any) -> VerifyReport:
    """As :func:`dovetail.lockstep.verify.verify`, with all that M3ViT's RTL consists of."""
    return verify_plans(system, plans=PLANS, **options)

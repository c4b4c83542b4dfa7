"""The latency that the M3ViT paper states for its ZCU104 design, as the arithmetic it comes from.

The paper gives no breakdown, port widths or DRAM.  Its six FPGA latencies agree with three terms:
the encoder's MACs at one rate, the gate's at the same rate, and, without reordering, one load of a
whole expert for every pair of token and chosen expert.  Rate and load bandwidth are not stated;
they are calibrated on one data set and checked on the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from dovetail.arch.m3vit.formats import WEIGHT
from dovetail.models.m3vit.config import M3vitConfig

WATTS = 10.0
"""FPGA power that every published energy is latency times."""
CLOCK_MHZ = 300.0


@dataclass(frozen=True, kw_only=True)
class M3vitAuthors:
    """Two calibrated constants.

    Attributes
    ----------
    macs_per_cycle : float
        At 300 MHz.
    load_gb_s : float
        10^9 bytes a second of expert weights.
    """

    macs_per_cycle: float
    load_gb_s: float

    def dense_ms(self, config: M3vitConfig) -> float:
        """The plain ViT of the same sizes."""
        return config.dense().macs / (self.macs_per_cycle * CLOCK_MHZ * 1e3)

    def gate_ms(self, config: M3vitConfig) -> float:
        """What the experts add where their loads are hidden: the gates."""
        macs = config.macs - config.dense().macs
        return macs / (self.macs_per_cycle * CLOCK_MHZ * 1e3)

    def reordered_ms(self, config: M3vitConfig) -> float:
        """Expert by expert."""
        return self.dense_ms(config) + self.gate_ms(config)

    def by_token_ms(self, config: M3vitConfig, *, reordered_ms: float | None = None) -> float:
        """Token by token with a cache that always misses.

        Parameters
        ----------
        config : M3vitConfig
        reordered_ms : float or None
            What to add the loads to; ours where None.
        """
        base = self.reordered_ms(config) if reordered_ms is None else reordered_ms
        return base + expert_loads(config) * expert_bytes(config) / self.load_gb_s * 1e-6


def calibrated(
    config: M3vitConfig, *, dense_ms: float, by_token_ms: float, reordered_ms: float
) -> M3vitAuthors:
    """The constants with which ``config`` takes the published times.

    Parameters
    ----------
    config : M3vitConfig
    dense_ms, by_token_ms, reordered_ms : float
        Published, of one data set.
    """
    load_ms = by_token_ms - reordered_ms
    return M3vitAuthors(
        macs_per_cycle=config.dense().macs / (dense_ms * CLOCK_MHZ * 1e3),
        load_gb_s=expert_loads(config) * expert_bytes(config) / load_ms * 1e-6,
    )


def expert_loads(config: M3vitConfig) -> int:
    """Pairs of token and chosen expert in all blocks."""
    return len(config.moe_layers) * config.tokens * config.top_k


def expert_bytes(config: M3vitConfig) -> int:
    """One expert at 16 bit, biases included."""
    return config.expert_parameters * WEIGHT.bits // 8


def memory_difference_bytes(config: M3vitConfig) -> int:
    """All experts on chip beside a buffer that already holds one dense MLP, without it.

    The MLP's matrices are as large as ``mlp / expert_hidden`` experts.
    """
    held = config.mlp // config.expert_hidden
    return (config.experts - held) * expert_bytes(config)

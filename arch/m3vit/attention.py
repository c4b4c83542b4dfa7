"""Shape of the reordered attention unit, its pipelines' lengths, and the queues they need."""

from __future__ import annotations

from dataclasses import dataclass, fields

from dovetail.arch.m3vit.formats import FEATURE, RECIPROCAL
from dovetail.errors import ConfigError

__all__ = ["PRODUCT_BITS", "AttentionDesign"]

PRODUCT_BITS = FEATURE.bits + FEATURE.fraction_bits
"""Of a sum of products: it is shifted by a feature's fraction bits, then its low bits are kept."""

_STEP_CYCLES = 8
"""From the read of a row's softmax state to the first cycle in which the next read finds it new."""
_DIVIDE_CYCLES = RECIPROCAL.bits + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionDesign:
    """p queries are held while keys, and later values, stream past in beats of ``lanes`` features.

    Attributes
    ----------
    parallel : int
        p: queries held at a time, each in a slot of its own.
    lanes : int
        Features in a beat; a whole number of beats makes a head.
    heads, head_dim : int
    max_tokens : int
        Most tokens of one attention.
    """

    parallel: int
    lanes: int
    heads: int
    head_dim: int
    max_tokens: int

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 1:
                raise ConfigError(f"{field.name}={value} must be at least 1; raise it")
        if self.head_dim % self.lanes:
            raise ConfigError(
                f"lanes={self.lanes} must divide head_dim={self.head_dim}; change lanes"
            )
        if self.token_beats < _STEP_CYCLES:
            raise ConfigError(
                f"a token has {self.token_beats} beats, heads={self.heads} times head_dim="
                f"{self.head_dim} over lanes={self.lanes}, and a softmax step takes {_STEP_CYCLES} "
                f"cycles; lower lanes"
            )

    @property
    def head_beats(self) -> int:
        return self.head_dim // self.lanes

    @property
    def token_beats(self) -> int:
        return self.heads * self.head_beats

    @property
    def turns(self) -> int:
        """Slots that share an exponential, one after the other, while a head's beats pass."""
        return min(self.parallel, self.head_beats)

    @property
    def softmax_units(self) -> int:
        return -(-self.parallel // self.turns)

    @property
    def dividers(self) -> int:
        """As many as keep up with one row a head: in a step one slot ends."""
        return -(-_DIVIDE_CYCLES // self.head_beats)

    @property
    def score_cycles(self) -> int:
        """From a head's last key beat to its scores: memory, product, sum of lanes, accumulator,
        scale, queue."""
        return 6

    @property
    def row_cycles(self) -> int:
        """From a row's last key beat to its maximum and reciprocal: as to the scores, then hold,
        all turns, a softmax step, the division and the queue."""
        return self.score_cycles + self.turns + _STEP_CYCLES + _DIVIDE_CYCLES

    @property
    def probability_cycles(self) -> int:
        """From a head's scores to its probabilities: hold, all turns, memory, exponential with
        product, queue."""
        return self.turns + 9

    @property
    def output_cycles(self) -> int:
        """From a value beat to the output beat that it completes: memory, product, sum, queue."""
        return 4

    # A queue's place is reserved when what will fill it sets off, and is free again in the cycle
    # after it was emptied; queues of these depths never hold back a stream that is taken at once.

    @property
    def score_queue(self) -> int:
        return -(-(self.score_cycles + 1) // self.head_beats)

    @property
    def row_queue(self) -> int:
        return -(-(self.row_cycles + 1) // self.head_beats)

    @property
    def probability_queue(self) -> int:
        """Entries stay while the beats of their head pass."""
        return -(-(self.probability_cycles + self.head_beats) // self.head_beats)

    @property
    def output_queue(self) -> int:
        return self.output_cycles + 1

    @property
    def score_store(self) -> int:
        """Scores between the two products, in groups of a slot each: a row's first one waits for
        its last, then for its division, and those that come meanwhile are kept."""
        wait = self.row_cycles - self.score_cycles + 1
        return (self.max_tokens - 1) * self.heads + 1 - (-wait // self.head_beats)

"""Shape of the norm pass over a feature map, its pipelines' lengths, and the queues they need."""

from __future__ import annotations

from dataclasses import dataclass, fields

from dovetail.errors import ConfigError

__all__ = ["NormDesign"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NormDesign:
    """Layer norm of a map in DRAM, of which a beat holds ``lanes`` features.

    Attributes
    ----------
    width : int
        Features of a token.
    lanes : int
    block : int
        Tokens are filled up with zeros to whole blocks of so many features.
    """

    width: int
    lanes: int
    block: int = 16

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 1:
                raise ConfigError(f"{field.name}={value} must be at least 1; raise it")
        if self.block % self.lanes:
            raise ConfigError(
                f"lanes={self.lanes} must divide the block={self.block} features to which tokens "
                f"are filled up; change lanes"
            )

    @property
    def token_beats(self) -> int:
        return -(-self.width // self.block) * self.block // self.lanes

    @property
    def statistics_cycles(self) -> int:
        """From a token's last beat to the first cycle in which its features may be used: sums,
        mean and square, variance, inverse root (4), queue."""
        return 8

    @property
    def output_cycles(self) -> int:
        """From a beat's use to the beat that it becomes: memory, three products, queue."""
        return 5

    # Queues of these depths never hold back a stream that is taken at once.

    @property
    def beat_queue(self) -> int:
        """Beats that wait for their token's statistics."""
        return self.token_beats + self.statistics_cycles

    @property
    def statistics_queue(self) -> int:
        """Tokens of which all beats, or the last ones, are among those that wait."""
        return -(-self.beat_queue // self.token_beats)

    @property
    def output_queue(self) -> int:
        return self.output_cycles + 1

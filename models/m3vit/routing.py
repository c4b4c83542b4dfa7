"""Which experts each token goes to: what a gate decides, and queues and metaqueue made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import TraceError
from dovetail.models.checks import check_count


@dataclass(frozen=True, kw_only=True, eq=False)
class Routing:
    """The experts of every token in one MoE layer.

    Attributes
    ----------
    experts : int16, shape (tokens, k)
        Chosen experts, best score first; equal scores in ascending order.
    scores : float32, shape (tokens, k)
        Their weights in the sum: softmax over all experts, not renormalised.
    count : int
        How many experts there are to choose from.
    """

    experts: NDArray[np.int16]
    scores: NDArray[np.float32]
    count: int

    def __post_init__(self) -> None:
        shape = self.experts.shape
        if len(shape) != 2 or 0 in shape or self.scores.shape != shape:
            raise TraceError(
                f"routing has experts of shape {shape} and scores of shape {self.scores.shape}; "
                f"both must be (tokens, k) with at least one token: correct them"
            )
        if shape[1] > self.count:
            raise TraceError(
                f"routing: k={shape[1]} must be at most the number of experts, {self.count}; "
                f"lower k"
            )
        if self.experts.min() < 0 or self.experts.max() >= self.count:
            raise TraceError(
                f"routing names expert {self.experts.max()}; the experts are 0 to "
                f"{self.count - 1}, so correct it or raise the number of experts"
            )
        ordered = np.sort(self.experts, axis=1)
        if (ordered[:, 1:] == ordered[:, :-1]).any():
            raise TraceError(
                "routing sends a token to the same expert twice; its experts must differ: "
                "correct it"
            )

    @property
    def tokens(self) -> int:
        return int(self.experts.shape[0])

    @property
    def top_k(self) -> int:
        return int(self.experts.shape[1])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens in each expert's queue, shape (count,)."""
        return np.bincount(self.experts.ravel(), minlength=self.count)

    @property
    def metaqueue(self) -> tuple[int, ...]:
        """Experts whose queues are not empty, ascending."""
        return tuple(np.flatnonzero(self.lengths).tolist())

    def queue(self, expert: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Tokens of an expert in ascending order, and their scores."""
        tokens, places = np.nonzero(self.experts == expert)
        return tokens, self.scores[tokens, places]

    @property
    def imbalance(self) -> float:
        """Longest queue over the mean one: 1 where all are equal."""
        return float(self.lengths.max() * self.count / self.lengths.sum())


def drawn_routing(
    tokens: int, *, experts: int, top_k: int, skew: float = 0.0, seed: int = 0
) -> Routing:
    """Draw the experts of each token from a popularity ``1 / rank**skew``.

    Parameters
    ----------
    tokens, experts, top_k : int
    skew : float
        0: all experts are equally popular.  The larger, the more tokens share the same experts;
        which expert has which rank is drawn too.  Infinity: all take the same ``top_k``.
    seed : int

    Returns
    -------
    Routing
        The score of the r-th choice is ``2**-(r + 1)``, since scores do not matter for time.
    """
    check_count(tokens, what="tokens", most=1 << 20, advice="change tokens")
    check_count(experts, what="experts", most=1 << 12, advice="change experts")
    if not 1 <= top_k <= experts:
        raise TraceError(
            f"top_k={top_k} must be from 1 to experts={experts}; lower top_k or add experts"
        )
    if not skew >= 0:
        raise TraceError(f"skew={skew} must be at least 0; change skew")
    rng = np.random.default_rng(seed)
    rank = rng.permutation(experts) + 1
    # Gumbel noise added to the logarithm of popularity and sorted draws without replacement.
    noise = rng.gumbel(size=(tokens, experts))
    preference = -rank.astype(float) if np.isinf(skew) else noise - skew * np.log(rank)
    preference = np.broadcast_to(preference, (tokens, experts))
    chosen = np.argsort(-preference, axis=1, kind="stable")[:, :top_k]
    scores = np.broadcast_to(0.5 ** np.arange(1, top_k + 1), chosen.shape)
    return Routing(experts=chosen.astype(np.int16), scores=scores.astype(np.float32), count=experts)

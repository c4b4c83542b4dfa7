"""In which order experts meet tokens: expert by expert over queues, or token by token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Score = TypeVar("Score", bound=np.generic)
Batch = tuple[int, NDArray[np.int64], NDArray[Score]]
"""An expert, the tokens that it takes at once, and their scores."""


def by_expert(experts: NDArray[np.integer], scores: NDArray[Score]) -> Iterator[Batch[Score]]:
    """Each expert that has tokens, ascending, with its whole queue.

    Parameters
    ----------
    experts, scores : shape (tokens, k)
    """
    for expert in np.unique(experts):
        tokens, places = np.nonzero(experts == expert)
        yield int(expert), tokens, scores[tokens, places]


def by_token(experts: NDArray[np.integer], scores: NDArray[Score]) -> Iterator[Batch[Score]]:
    """Each token with each of its experts, ascending, one at a time.

    Parameters
    ----------
    experts, scores : shape (tokens, k)
    """
    for token, places in enumerate(np.argsort(experts, axis=1)):
        for place in places:
            yield int(experts[token, place]), np.array([token]), scores[token, place : place + 1]

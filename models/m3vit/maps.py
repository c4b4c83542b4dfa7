"""Feature maps and norm parameters as they lie in DRAM: 32-bit words, tokens in whole blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.m3vit.formats import BIAS
from dovetail.arch.m3vit.norm import NormDesign
from dovetail.models.m3vit.fixed import Integers
from dovetail.models.m3vit.fixed_norm import FixedNorm

Words = NDArray[np.int32]


def pack_map(x: Integers, design: NormDesign) -> Words:
    """Token after token, filled up with zeros.

    Parameters
    ----------
    x : int64, shape (tokens, width)
        fixed<32,10>.
    design : NormDesign
        Of a map's width, block and beats.

    Returns
    -------
    int32, shape (tokens, token_beats * lanes)
    """
    filled = np.zeros((len(x), design.token_beats * design.lanes), np.int32)
    filled[:, : design.width] = x
    return filled


def unpack_map(words: Words, design: NormDesign) -> Integers:
    """The features of :func:`pack_map`: int64, shape (tokens, width)."""
    tokens = words.reshape(-1, design.token_beats * design.lanes)
    return tokens[:, : design.width].astype(np.int64)


def pack_norm(norm: FixedNorm, design: NormDesign) -> Words:
    """Scale in the low half of each word, shift in the high half; as one token of a map."""
    half = (1 << BIAS.bits) - 1
    words = (norm.beta & half) << BIAS.bits | (norm.gamma & half)
    return pack_map(words.astype(np.uint32).view(np.int32).astype(np.int64)[None], design)

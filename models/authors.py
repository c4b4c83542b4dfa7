"""The MixPE authors' simplified networks as the operators that their cost model counts.

To :mod:`dovetail.models.networks.mixpe_authors` this adds what depends on the accelerator: the
precision of each operator, and dequantisation, which is an operator like any other.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from dovetail.arch.authors import AuthorsDesign
from dovetail.errors import ConfigError
from dovetail.models.networks.mixpe_authors import (
    AUTHORS,
    AUTHORS_BATCH,
    AuthorsNetwork,
    authors_trace,
)
from dovetail.models.trace import GemmOp

Role = Literal["linear", "dequant", "patch_conv"]

GROUP = 128
"""Weights that share a scale [mixpe_simulator, gen_bench.py]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorsOp:
    """A convolution with one precision for both operands; a GEMM has size 1 and kernel 1.

    Attributes
    ----------
    name, role : str
    batch : int
        Images, or rows of the GEMM.
    size : int
        Side of the square output, in pixels.
    kernel : int
        Side of the kernel.
    in_channels, out_channels : int
    bits : int
        Width at which weights and activations are counted.
    """

    name: str
    role: Role
    batch: int
    size: int = 1
    kernel: int = 1
    in_channels: int
    out_channels: int
    bits: int

    @property
    def macs(self) -> int:
        positions = self.batch * self.size**2
        return positions * self.out_channels * self.in_channels * self.kernel**2


def authors_network(name: str) -> AuthorsNetwork:
    """Return the network called ``name``, such as ``"opt-6.7b-authors"``."""
    if name not in AUTHORS:
        raise ConfigError(
            f"network {name!r} has no dequantisation and precision mix in the authors' accounting; "
            f"the networks that have are {', '.join(AUTHORS)}"
        )
    return AUTHORS[name]


def authors_operators(
    design: AuthorsDesign, network: AuthorsNetwork, *, batch: int = AUTHORS_BATCH
) -> dict[AuthorsOp, int]:
    """List the operators of ``network`` at the precisions of ``design``, and how often each runs.

    The authors drew the layers of a precision exception at random and kept the draw in their
    files.  No published number depends on which layers they are, so here they are the first ones.
    """
    counts: Counter[AuthorsOp] = Counter()
    patches = network.patch_input
    if patches is not None:
        conv = AuthorsOp(
            name="patch_embedding",
            role="patch_conv",
            batch=batch,
            size=patches.image // patches.patch,
            kernel=patches.patch,
            in_channels=patches.channels,
            out_channels=network.hidden,
            bits=design.wide_bits,
        )
        counts[conv] += 1
    exception = design.exception
    exceptional = network.layers // exception.one_layer_in if exception else 0
    for gemm in authors_trace(network, batch=batch).gemms:
        if gemm.layer < 0:  # the patch convolution as a GEMM, which has no tiles of pixels
            continue
        bits = design.linear_bits
        if exception and gemm.layer < exceptional and gemm.name in exception.linears:
            bits = exception.bits
        linear = AuthorsOp(
            name=gemm.name,
            role="linear",
            batch=gemm.m,
            in_channels=gemm.k,
            out_channels=gemm.n,
            bits=bits,
        )
        counts[linear] += 1
        counts[_dequantisation(design, gemm)] += 1
    return dict(counts)


def dequant_share(design: AuthorsDesign, network: AuthorsNetwork) -> float:
    """Return dequantisation's part of all MACs, each weighted by its operand width.

    The patch convolution, which has no quantised weights, is left out.
    """
    work: Counter[Role] = Counter()
    for op, count in authors_operators(design, network).items():
        work[op.role] += op.macs * op.bits * count
    return work["dequant"] / (work["dequant"] + work["linear"])


def _dequantisation(design: AuthorsDesign, gemm: GemmOp) -> AuthorsOp:
    """Return the GEMM that stands for the dequantisation of ``gemm``."""
    if design.dequant == "before":
        inputs, outputs = gemm.k, gemm.n // design.dequant_batch
    else:
        inputs, outputs = gemm.k // design.dequant_batch, gemm.n // GROUP
    return AuthorsOp(
        name=f"{gemm.name}_dequant",
        role="dequant",
        batch=gemm.m,
        in_channels=inputs,
        out_channels=outputs,
        bits=design.wide_bits,
    )

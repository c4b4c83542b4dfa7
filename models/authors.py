"""The MixPE authors' four simplified networks, as the operators that their cost model counts.

A linear layer sees one row per sample (no sequence), attention's own GEMMs are absent, and
dequantisation is an operator like any other.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from dovetail.arch.authors import AuthorsDesign, Linear
from dovetail.errors import ConfigError

Role = Literal["linear", "dequant", "patch_conv"]

GROUP = 128
"""Weights that share a scale [mixpe_simulator, gen_bench.py]."""

BATCH = 64
"""Samples in every published run [mixpe_simulator, run_mix.py]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorsNetwork:
    """A stack of equal layers of four linears, with a patch convolution ahead where it is a ViT.

    Attributes
    ----------
    label : str
        Name in the published tables.
    layers, hidden : int
        The linears are 3h x h, h x h, 4h x h and h x 4h (outputs x inputs).
    patch, patches : int
        Edge of a patch in pixels, and patches along an edge of the image; 0: no convolution.
    source : str
    """

    label: str
    layers: int
    hidden: int
    patch: int = 0
    patches: int = 0
    source: str

    def linears(self) -> tuple[tuple[Linear, int, int], ...]:
        """(name, outputs, inputs) of each linear of one layer, in program order."""
        h = self.hidden
        return (
            ("qkv_proj", 3 * h, h),
            ("out_proj", h, h),
            ("ffn_up", 4 * h, h),
            ("ffn_down", h, 4 * h),
        )


_SOURCE = "mixpe_simulator 7e0d42c: gen_bench.py, gen_benchmark"
NETWORKS = {
    "vit": AuthorsNetwork(label="ViT", layers=12, hidden=768, patch=16, patches=14, source=_SOURCE),
    "vit-huge": AuthorsNetwork(
        label="ViT-Huge", layers=32, hidden=1280, patch=16, patches=14, source=_SOURCE
    ),
    "opt-6.7b": AuthorsNetwork(label="OPT-6.7B", layers=32, hidden=4096, source=_SOURCE),
    "llama2-13b": AuthorsNetwork(label="Llama2-13B", layers=40, hidden=5120, source=_SOURCE),
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class AuthorsOp:
    """A convolution with one precision for both operands; a GEMM is one of size 1 and kernel 1.

    Attributes
    ----------
    name, role : str
    batch : int
        Images, or rows of the GEMM.
    size : int
        Edge of the square output, in pixels.
    kernel : int
        Edge of the kernel; the stride equals it.
    in_channels, out_channels : int
    bits : int
        Width of weights and activations.
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
        positions = self.batch * self.size * self.size
        return positions * self.out_channels * self.in_channels * self.kernel * self.kernel


def authors_network(name: str) -> AuthorsNetwork:
    """The network called ``name``, such as ``"opt-6.7b"``."""
    if name not in NETWORKS:
        raise ConfigError(
            f"no network named {name!r} in the authors' model; the networks are "
            f"{', '.join(NETWORKS)}"
        )
    return NETWORKS[name]


def authors_operators(design: AuthorsDesign, network: AuthorsNetwork) -> dict[AuthorsOp, int]:
    """Operators of ``network`` at the precisions of ``design``, and how often each one runs.

    The authors drew the layers of a precision exception at random and kept the draw in their
    files.  No published number depends on which layers they are, so here they are the first.
    """
    counts: Counter[AuthorsOp] = Counter()
    if network.patch:
        counts[
            AuthorsOp(
                name="patch_conv",
                role="patch_conv",
                batch=BATCH,
                size=network.patches,
                kernel=network.patch,
                in_channels=3,
                out_channels=network.hidden,
                bits=design.wide_bits,
            )
        ] += 1
    exception = design.exception
    exceptional = network.layers // exception.one_layer_in if exception else 0
    for layer in range(network.layers):
        for name, outputs, inputs in network.linears():
            bits = design.linear_bits
            if exception and layer < exceptional and name in exception.linears:
                bits = exception.bits
            counts[
                AuthorsOp(
                    name=name,
                    role="linear",
                    batch=BATCH,
                    in_channels=inputs,
                    out_channels=outputs,
                    bits=bits,
                )
            ] += 1
            counts[_dequantisation(design, name, outputs, inputs)] += 1
    return dict(counts)


def _dequantisation(design: AuthorsDesign, name: str, outputs: int, inputs: int) -> AuthorsOp:
    """The GEMM that stands for a linear's dequantisation."""
    if design.dequant == "before":
        outputs //= design.dequant_batch
    else:
        inputs //= design.dequant_batch
        outputs //= GROUP
    return AuthorsOp(
        name=f"{name}_dequant",
        role="dequant",
        batch=BATCH,
        in_channels=inputs,
        out_channels=outputs,
        bits=design.wide_bits,
    )


def dequant_share(design: AuthorsDesign, network: AuthorsNetwork) -> float:
    """Dequantisation's part of a network's multiplications, each weighted by its operand width."""
    work: Counter[Role] = Counter()
    for op, count in authors_operators(design, network).items():
        work[op.role] += op.macs * op.bits * count
    return work["dequant"] / (work["dequant"] + work["linear"])

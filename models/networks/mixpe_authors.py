"""The four simplified networks on which the MixPE authors' simulator reports its results.

Source: github.com/yuzhang712/mixpe_simulator, ``gen_bench.py``: one 64-row GEMM for each linear
layer, the sequence left out, attention left out, one layer shape (3h x h, h x h, 4h x h, h x 4h)
for all four networks.  Their entries for dequantisation belong to their cost model and not to the
network, so they are not listed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from dovetail.errors import TraceError
from dovetail.models.checks import check_count
from dovetail.models.networks.transformer import MAX_SIZE, PatchInput
from dovetail.models.trace import GemmOp, Phase, Trace

AUTHORS_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorsNetwork:
    """One of the four.

    Attributes
    ----------
    name : str
    layers, hidden : int
    patch_input : PatchInput or None
        The patch convolution that stands before the layers of the two vision transformers.
    differs : str
        How the network differs from the published one of that name.
    """

    name: str
    layers: int
    hidden: int
    patch_input: PatchInput | None = None
    differs: str


_PATCHES = PatchInput(image=224, patch=16)
_VIT_DIFFERS = "the linear layers see one row an image, the patch convolution all 196 positions"

AUTHORS = MappingProxyType(
    {
        network.name: network
        for network in (
            AuthorsNetwork(
                name="vit-authors",
                layers=12,
                hidden=768,
                patch_input=_PATCHES,
                differs=_VIT_DIFFERS,
            ),
            AuthorsNetwork(
                name="vit-huge-authors",
                layers=32,
                hidden=1280,
                patch_input=_PATCHES,
                differs=_VIT_DIFFERS,
            ),
            AuthorsNetwork(
                name="opt-6.7b-authors",
                layers=32,
                hidden=4096,
                differs="embeddings and head are left out",
            ),
            AuthorsNetwork(
                name="llama2-13b-authors",
                layers=40,
                hidden=5120,
                differs="a plain 4h feed-forward network stands for the SwiGLU of width 13,824; "
                "embeddings and head are left out",
            ),
        )
    }
)
"""The four networks by name."""


def authors_trace(
    network: AuthorsNetwork,
    *,
    phase: Phase = "prefill",
    batch: int = AUTHORS_BATCH,
    seq: int | None = None,
) -> Trace:
    """List the GEMMs of ``network`` with ``batch`` rows.

    Parameters
    ----------
    network : AuthorsNetwork
    phase : str
        ``prefill``: without attention and with one token the phases are the same, so there is one.
    batch : int
        Rows of each GEMM; 64 in the source.
    seq : int or None
        1 or None: the source has no sequences.
    """
    if phase != "prefill":
        raise TraceError(
            f"{network.name}: phase={phase!r} must be prefill, for the source has no attention and "
            f"no cache; leave phase out or take a network of true shapes"
        )
    if seq not in (None, 1):
        raise TraceError(
            f"{network.name}: seq={seq!r} must be 1, for the source has no sequences; set batch to "
            f"the number of rows or take a network of true shapes"
        )
    check_count(batch, what="batch", most=MAX_SIZE, advice="change batch")
    hidden = network.hidden
    ops = []
    if network.patch_input is not None:
        ops.append(
            GemmOp(
                name="patch_embedding",
                layer=-1,
                m=batch * network.patch_input.patches,
                n=hidden,
                k=network.patch_input.values_per_patch,
            )
        )
    for layer in range(network.layers):
        for name, n, k in (
            ("qkv_proj", 3 * hidden, hidden),
            ("o_proj", hidden, hidden),
            ("fc1", 4 * hidden, hidden),
            ("fc2", hidden, 4 * hidden),
        ):
            ops.append(GemmOp(name=name, layer=layer, m=batch, n=n, k=k))
    return Trace(
        network=network.name,
        phase="prefill",
        batch=batch,
        seq=1,
        ops=tuple(ops),
        notes=(
            "modelled: the linear layers as the MixPE authors' simulator enters them, batch rows "
            "each",
            f"approximated: {network.differs}",
            "not modelled: attention, the sequence dimension, and all work that is not a GEMM",
        ),
    )

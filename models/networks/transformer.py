"""The architecture of a transformer: what a named network and a Hugging Face config both become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dovetail.errors import TraceError
from dovetail.models.checks import check_count
from dovetail.models.networks.other_work import ACTIVATION_OPERATIONS

MAX_LAYERS = 4096
MAX_SIZE = 1 << 20

Norm = Literal["rms_norm", "layer_norm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchInput:
    """Square images cut into square patches, each one token, after a class token.

    Attributes
    ----------
    image, patch : int
        Side of the image and of a patch, pixels; what is left over at the edge is dropped.
    channels : int
    """

    image: int
    patch: int
    channels: int = 3

    @property
    def patches(self) -> int:
        return (self.image // self.patch) ** 2

    @property
    def values_per_patch(self) -> int:
        return self.channels * self.patch**2


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerConfig:
    """A decoder-only language model, or a vision transformer where ``patch_input`` is given.

    Attributes
    ----------
    name : str
    layers, hidden, heads, head_dim, ffn : int
        Layers, width, query heads, width of a head, width of the feed-forward network.
    kv_heads : int
        Key and value heads; each serves ``heads / kv_heads`` query heads.
    gated_ffn : bool
        Three matrices, ``down(act(gate(x)) * up(x))``; else two, ``fc2(act(fc1(x)))``.
    activation : str
        A key of ``ACTIVATION_OPERATIONS``.
    norm : str
        ``rms_norm`` (a weight) or ``layer_norm`` (a weight and a bias).
    norm_parameters : bool
        False where the norms have neither.
    norm_first : bool
        The norm stands before attention and feed-forward network; else after the residual.
    final_norm : bool
        One more norm after the last layer.
    embedding_norm : bool
        One more norm before the first layer.
    inner_norms : bool
        One more norm before attention's output projection, of the width of all queries, and one
        before the feed-forward network's, of the width ``ffn``.
    vocab : int
        Tokens of a language model; 0 for a vision transformer.
    embedding_dim : int or None
        Width of the token embedding where it is not ``hidden``; two projections bridge it.
    tied_head : bool
        The head uses the embedding's matrix.
    positions : int
        Rows of a learned table of positions; 0 where positions enter another way.
    alibi : bool
        Positions enter as a bias of the scores; where there is no table either, by rotation (rope).
    classes : int
        Outputs of a vision transformer's classifier; 0 where it has none.
    patch_input : PatchInput or None
    qkv_bias, output_bias, ffn_bias : bool
        Biases of the query, key and value projections, of attention's output projection, and of
        the feed-forward network.
    weight_bits : int or None
        Bits at which the published weights of the layers run; None where they are floating point.
    usual_seq : int
        Tokens of a sequence unless told otherwise.
    max_tokens : int
        Longest sequence the network was made for.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    gated_ffn: bool
    activation: str
    norm: Norm
    norm_parameters: bool = True
    norm_first: bool = True
    final_norm: bool = True
    embedding_norm: bool = False
    inner_norms: bool = False
    vocab: int = 0
    embedding_dim: int | None = None
    tied_head: bool = False
    positions: int = 0
    alibi: bool = False
    classes: int = 0
    patch_input: PatchInput | None = None
    qkv_bias: bool = False
    output_bias: bool = False
    ffn_bias: bool = False
    weight_bits: int | None = None
    usual_seq: int
    max_tokens: int

    def __post_init__(self) -> None:
        for field in ("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn"):
            most = MAX_LAYERS if field == "layers" else MAX_SIZE
            check_count(
                getattr(self, field),
                what=f"{self.name}: {field}",
                most=most,
                advice="correct the architecture",
            )
        if self.heads % self.kv_heads:
            raise TraceError(
                f"{self.name}: heads={self.heads} must be a multiple of kv_heads={self.kv_heads}, "
                f"so that each key/value head serves as many query heads; correct one of them"
            )
        if self.activation not in ACTIVATION_OPERATIONS:
            raise TraceError(
                f"{self.name}: activation {self.activation!r} is unknown; use one of "
                f"{', '.join(sorted(ACTIVATION_OPERATIONS))}"
            )
        if self.patch_input is not None and self.patch_input.patches < 1:
            raise TraceError(
                f"{self.name}: patch={self.patch_input.patch} must not exceed "
                f"image={self.patch_input.image}; correct one of them"
            )

    @property
    def rope(self) -> bool:
        """Queries and keys are rotated by their position."""
        return self.patch_input is None and not self.positions and not self.alibi

    @property
    def embedding_width(self) -> int:
        return self.hidden if self.embedding_dim is None else self.embedding_dim

    @property
    def parameters(self) -> int:
        """Every trained value: matrices, biases, norms, embeddings, positions."""
        if self.patch_input is None:
            total = self.vocab * self.embedding_width + self.positions * self.hidden
            if self.embedding_width != self.hidden:
                total += 2 * self.embedding_width * self.hidden
            if not self.tied_head:
                total += self.vocab * self.embedding_width
        else:
            # The patch projection with its bias, the class token, one position for each token.
            total = (self.patch_input.values_per_patch + 1) * self.hidden
            total += (1 + self.positions) * self.hidden
            total += self.classes * (self.hidden + 1)
        outer_norms = self.final_norm + self.embedding_norm
        return (
            total
            + self.layers * self._layer_parameters
            + outer_norms * self._norm_values(self.hidden)
        )

    def _norm_values(self, width: int) -> int:
        vectors = 2 if self.norm == "layer_norm" else 1
        return vectors * width * self.norm_parameters

    @property
    def _layer_parameters(self) -> int:
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        attention = self.hidden * (queries + 2 * keys) + queries * self.hidden
        attention += self.qkv_bias * (queries + 2 * keys) + self.output_bias * self.hidden
        inputs = 2 if self.gated_ffn else 1
        ffn = (inputs + 1) * self.hidden * self.ffn
        ffn += self.ffn_bias * (inputs * self.ffn + self.hidden)
        norms = 2 * self._norm_values(self.hidden)
        if self.inner_norms:
            norms += self._norm_values(queries) + self._norm_values(self.ffn)
        return attention + ffn + norms

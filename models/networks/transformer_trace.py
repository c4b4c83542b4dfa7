"""Operators of a transformer in program order: its architecture at one phase, batch and length."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from dovetail.errors import TraceError
from dovetail.models.checks import check_count
from dovetail.models.networks.other_work import (
    ACTIVATION_OPERATIONS,
    ROPE_OPERATIONS,
    layer_norm_operations,
    rms_norm_operations,
    softmax_operations,
)
from dovetail.models.networks.transformer import MAX_SIZE, TransformerConfig
from dovetail.models.trace import GemmOp, OtherOp, Phase, Trace

LAYER_SUFFIX = "-layer"
"""Ends the name of a network's trace that has its first layer only."""


def transformer_trace(
    config: TransformerConfig,
    *,
    phase: Phase = "prefill",
    batch: int = 1,
    seq: int | None = None,
    single_layer: bool = False,
    notes: tuple[str, ...] = (),
) -> Trace:
    """List what ``config`` computes; ``Trace.notes`` says what is approximated or left out.

    With ``t`` tokens a sequence (``seq`` in prefill, 1 in decode), a context of ``c`` tokens
    (``seq``, and ``seq + 1``), and ``g = heads / kv_heads`` query heads to a key/value head:

    ================== =================== ============ ============ ================
    operator           m                   n            k            count
    ================== =================== ============ ============ ================
    linear layers      batch x t           outputs      inputs       1
    attention_scores   g x t               c            head_dim     batch x kv_heads
    attention_values   g x t               head_dim     c            batch x kv_heads
    lm_head            batch               vocab        embedding    1
    patch_embedding    batch x patches     hidden       patch values 1
    classifier         batch               classes      hidden       1
    ================== =================== ============ ============ ================

    Parameters
    ----------
    config : TransformerConfig
    phase : str
        ``prefill`` or ``decode``; a vision transformer has no decode.
    batch : int
        Sequences or images.
    seq : int or None
        Tokens of a sequence, ``config.usual_seq`` where None; an image fixes it.
    single_layer : bool
        The first layer alone, without what stands outside the layers.
    notes : tuple of str
        Put after the notes made here.
    """
    if phase not in get_args(Phase):
        raise TraceError(f"phase={phase!r} must be prefill or decode; change phase")
    check_count(batch, what="batch", most=MAX_SIZE, advice="change batch")
    seq = config.usual_seq if seq is None else seq
    check_count(seq, what="seq", most=MAX_SIZE, advice="change seq")
    if config.patch_input is not None:
        if phase == "decode":
            raise TraceError(
                f"{config.name}: phase='decode' needs a language model, and this is a vision "
                f"transformer; use prefill"
            )
        if seq != config.usual_seq:
            raise TraceError(
                f"{config.name}: seq={seq} must be {config.usual_seq}, one token for each of the "
                f"{config.patch_input.patches} patches and a class token; leave seq out"
            )
    builder = _Builder(config, phase, batch, seq)
    if single_layer:
        builder.add_layer(0)
    else:
        builder.add_network()
    return Trace(
        network=f"{config.name}{LAYER_SUFFIX}" if single_layer else config.name,
        phase=phase,
        batch=batch,
        seq=seq,
        ops=tuple(builder.ops),
        notes=(*_notes(config, phase, seq, single_layer), *notes),
    )


class _Builder:
    """Appends operators to ``ops`` in program order."""

    def __init__(self, config: TransformerConfig, phase: Phase, batch: int, seq: int) -> None:
        self.config = config
        self.batch = batch
        self.tokens = seq if phase == "prefill" else 1  # of one sequence
        self.rows = batch * self.tokens
        self.context = seq if phase == "prefill" else seq + 1
        self.masked = phase == "prefill" and config.patch_input is None
        self.layer = -1
        self.ops: list[GemmOp | OtherOp] = []

    def add_network(self) -> None:
        config = self.config
        if config.patch_input is None:
            self._token_input()
        else:
            self._patch_input()
        for layer in range(config.layers):
            self.add_layer(layer)
        self.layer = -1
        if config.final_norm:
            self._norm("final_norm")
        if config.patch_input is None:
            if config.embedding_width != config.hidden:
                self._linear("project_out", n=config.embedding_width, k=config.hidden)
            self._linear("lm_head", m=self.batch, n=config.vocab, k=config.embedding_width)
        elif config.classes:
            self._linear("classifier", m=self.batch, n=config.classes, k=config.hidden, bias=True)

    def add_layer(self, layer: int) -> None:
        self.layer = layer
        self._block("attention", self._attention)
        self._block("ffn", self._ffn)

    def _token_input(self) -> None:
        config = self.config
        values = self.rows * config.embedding_width
        self._other("token_embedding", "embedding", 0, reads=values, writes=values)
        if config.embedding_width != config.hidden:
            self._linear("project_in", n=config.hidden, k=config.embedding_width)
        if config.positions:
            self._sum("position_embedding", "embedding", self.rows * config.hidden)
        if config.embedding_norm:
            self._norm("embedding_norm")

    def _patch_input(self) -> None:
        config = self.config
        assert config.patch_input is not None
        self._linear(
            "patch_embedding",
            m=self.batch * config.patch_input.patches,
            n=config.hidden,
            k=config.patch_input.values_per_patch,
            bias=True,
        )
        self._sum("position_embedding", "embedding", self.rows * config.hidden)

    def _block(self, name: str, body: Callable[[], None]) -> None:
        if self.config.norm_first:
            self._norm(f"{name}_norm")
        body()
        self._sum(f"{name}_residual", "residual", self.rows * self.config.hidden)
        if not self.config.norm_first:
            self._norm(f"{name}_norm")

    def _attention(self) -> None:
        config = self.config
        queries, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
        for name, n in (("q_proj", queries), ("k_proj", keys), ("v_proj", keys)):
            self._linear(name, n=n, k=config.hidden, bias=config.qkv_bias)
        if config.rope:
            values = self.rows * (queries + keys)
            self._other("rope", "rope", ROPE_OPERATIONS * values, reads=values, writes=values)
        self._attention_gemm("attention_scores", n=self.context, k=config.head_dim)
        scores = self.rows * config.heads * self.context
        row = softmax_operations(self.context, masked=self.masked, biased=config.alibi)
        self._other(
            "softmax", "softmax", self.rows * config.heads * row, reads=scores, writes=scores
        )
        self._attention_gemm("attention_values", n=config.head_dim, k=self.context)
        if config.inner_norms:
            self._norm("output_norm", width=queries)
        self._linear("o_proj", n=config.hidden, k=queries, bias=config.output_bias)

    def _ffn(self) -> None:
        config = self.config
        inputs = ("gate_proj", "up_proj") if config.gated_ffn else ("fc1",)
        for name in inputs:
            self._linear(name, n=config.ffn, k=config.hidden, bias=config.ffn_bias)
        # A gated network multiplies the activated gate by the other projection.
        each = ACTIVATION_OPERATIONS[config.activation] + config.gated_ffn
        values = self.rows * config.ffn
        self._other(
            "activation",
            "activation",
            values * each,
            reads=values * len(inputs),
            writes=values,
        )
        if config.inner_norms:
            self._norm("inner_norm", width=config.ffn)
        name = "down_proj" if config.gated_ffn else "fc2"
        self._linear(name, n=config.hidden, k=config.ffn, bias=config.ffn_bias)

    def _linear(
        self, name: str, *, n: int, k: int, m: int | None = None, bias: bool = False
    ) -> None:
        m = self.rows if m is None else m
        self.ops.append(GemmOp(name=name, layer=self.layer, m=m, n=n, k=k))
        if bias:
            self._other(f"{name}_bias", "bias", m * n, reads=m * n, writes=m * n)

    def _attention_gemm(self, name: str, *, n: int, k: int) -> None:
        config = self.config
        self.ops.append(
            GemmOp(
                name=name,
                layer=self.layer,
                m=config.heads // config.kv_heads * self.tokens,
                n=n,
                k=k,
                count=self.batch * config.kv_heads,
                weights="activation",
            )
        )

    def _norm(self, name: str, *, width: int | None = None) -> None:
        count = rms_norm_operations if self.config.norm == "rms_norm" else layer_norm_operations
        width = self.config.hidden if width is None else width
        values = self.rows * width
        self._other(name, "norm", self.rows * count(width), reads=values, writes=values)

    def _sum(self, name: str, kind: str, values: int) -> None:
        """One addition of two tensors."""
        self._other(name, kind, values, reads=2 * values, writes=values)

    def _other(self, name: str, kind: str, operations: int, *, reads: int, writes: int) -> None:
        self.ops.append(
            OtherOp(
                name=name,
                layer=self.layer,
                kind=kind,
                operations=operations,
                values_read=reads,
                values_written=writes,
            )
        )


def _notes(
    config: TransformerConfig, phase: Phase, seq: int, single_layer: bool
) -> tuple[str, ...]:
    """What a reader of a result must know about the trace, one sentence or two each."""
    notes = ["modelled: every linear layer and both attention products, as GEMMs of true shape"]
    if config.kv_heads < config.heads:
        notes.append(
            f"modelled: the {config.heads // config.kv_heads} query heads that share a key/value "
            f"head are rows of one GEMM, so its keys and values are read once"
        )
    if phase == "decode":
        notes.append(
            f"modelled: one new token for each sequence, attending to the {seq} cached ones and "
            f"itself; linear layers see one row a sequence"
        )
    elif config.patch_input is None:
        notes.append(
            "approximated: attention is computed in full; the scores above the diagonal, which "
            "the causal mask discards, are not skipped"
        )
        if not single_layer:
            notes.append("modelled: lm_head runs on the last token of each sequence only")
    if config.weight_bits is not None:
        notes.append(
            f"modelled: weights of the layers run at {config.weight_bits} bits as published; a "
            f"design says at which it runs them"
        )
    if config.patch_input is not None and not single_layer:
        notes.append(
            "modelled: the patch convolution as a GEMM; its patches do not overlap, so nothing is "
            "read twice"
        )
    work = "norm, softmax, activation function, residual, embedding and bias"
    if config.rope:
        work = f"rope, {work}"
    notes.append(f"not modelled: {work} are counted as scalar operations and cost no time")
    notes.append(
        "not modelled: quantising activations between operators and transposing the values of "
        "attention cost nothing"
    )
    longest = seq if phase == "prefill" else seq + 1
    if longest > config.max_tokens:
        notes.append(
            f"approximated: {longest} tokens are more than the {config.max_tokens} the network "
            f"was made for; shapes are extrapolated"
        )
    return tuple(notes)

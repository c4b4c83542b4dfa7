"""A Hugging Face ``config.json`` as a trace: the LLaMA, OPT and ViT families."""

from __future__ import annotations

import reprlib
from pathlib import Path

from dovetail.errors import TraceError
from dovetail.models.importers.config_fields import ConfigFields
from dovetail.models.networks.transformer import (
    MAX_LAYERS,
    PatchInput,
    TransformerConfig,
)
from dovetail.models.networks.transformer_trace import transformer_trace
from dovetail.models.trace import Phase, Trace

USUAL_SEQ = 2048


def trace_from_hf_config(
    path: Path, *, phase: Phase = "prefill", batch: int = 1, seq: int | None = None
) -> Trace:
    """Make the trace of the network that ``config.json`` at ``path`` describes.

    ``Trace.notes`` lists what is modelled, approximated and left out, and which fields were read.

    Parameters
    ----------
    path : Path
    phase, batch : str, int
        As for :func:`dovetail.models.networks.network`.
    seq : int or None
        Tokens; where None 2,048 or the network's maximum, whichever is less, and for ViT the
        tokens of its image.
    """
    fields = ConfigFields(path)
    config = _config(fields)
    read = sorted(fields.read)
    ignored = sorted(set(fields.values) - fields.read)
    notes = [f"read from {path.name}: {', '.join(read)}"]
    if ignored:
        notes.append(f"ignored in {path.name}: {', '.join(ignored)}")
    if config.patch_input is not None and not config.classes:
        notes.append("not modelled: classifier and pooler, for the config lists no id2label")
    return transformer_trace(config, phase=phase, batch=batch, seq=seq, notes=tuple(notes))


def hf_config(path: Path) -> TransformerConfig:
    """Read the architecture alone; :func:`trace_from_hf_config` makes the trace of it."""
    return _config(ConfigFields(path))


def _config(fields: ConfigFields) -> TransformerConfig:
    model_type = fields.get("model_type")
    if not isinstance(model_type, str) or model_type not in _FAMILIES:
        raise TraceError(
            f"{fields.path}: model_type={reprlib.repr(model_type)} must be one of "
            f"{', '.join(_FAMILIES)}; write other networks as a CSV of GEMMs"
        )
    return _FAMILIES[model_type](fields)


def _llama(fields: ConfigFields) -> TransformerConfig:
    hidden = fields.count("hidden_size")
    heads = fields.count("num_attention_heads")
    kv_heads = fields.count("num_key_value_heads", default=heads)
    if heads % kv_heads:
        raise TraceError(
            f"{fields.path}: num_attention_heads={heads} must be a multiple of "
            f"num_key_value_heads={kv_heads}; correct the config"
        )
    # Only a config that states head_dim may have heads that do not share hidden_size evenly.
    head_dim = fields.count("head_dim", default=0) or fields.head_dim(hidden, heads)
    max_tokens = fields.count("max_position_embeddings", default=USUAL_SEQ, most=1 << 31)
    attention_bias = fields.flag("attention_bias", default=False)
    return TransformerConfig(
        name=fields.name,
        layers=fields.count("num_hidden_layers", most=MAX_LAYERS),
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        ffn=fields.count("intermediate_size"),
        gated_ffn=True,
        activation=fields.activation("hidden_act", default="silu"),
        norm="rms_norm",
        vocab=fields.count("vocab_size"),
        tied_head=fields.flag("tie_word_embeddings", default=False),
        qkv_bias=attention_bias,
        output_bias=attention_bias,
        ffn_bias=fields.flag("mlp_bias", default=False),
        usual_seq=min(USUAL_SEQ, max_tokens),
        max_tokens=max_tokens,
    )


def _opt(fields: ConfigFields) -> TransformerConfig:
    hidden = fields.count("hidden_size")
    heads = fields.count("num_attention_heads")
    max_tokens = fields.count("max_position_embeddings")
    bias = fields.flag("enable_bias", default=True)
    norm_first = fields.flag("do_layer_norm_before", default=True)
    final_norm_removed = fields.flag("_remove_final_layer_norm", default=False)
    return TransformerConfig(
        name=fields.name,
        layers=fields.count("num_hidden_layers", most=MAX_LAYERS),
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=fields.head_dim(hidden, heads),
        ffn=fields.count("ffn_dim"),
        gated_ffn=False,
        activation=fields.activation("activation_function", default="relu"),
        norm="layer_norm",
        norm_parameters=fields.flag("layer_norm_elementwise_affine", default=True),
        norm_first=norm_first,
        final_norm=norm_first and not final_norm_removed,
        vocab=fields.count("vocab_size"),
        embedding_dim=fields.count("word_embed_proj_dim", default=hidden),
        tied_head=fields.flag("tie_word_embeddings", default=True),
        # The implementation reserves two rows before the first position.
        positions=max_tokens + 2,
        qkv_bias=bias,
        output_bias=bias,
        ffn_bias=bias,
        usual_seq=min(USUAL_SEQ, max_tokens),
        max_tokens=max_tokens,
    )


def _vit(fields: ConfigFields) -> TransformerConfig:
    hidden = fields.count("hidden_size")
    heads = fields.count("num_attention_heads")
    patch_input = PatchInput(
        image=fields.count("image_size"),
        patch=fields.count("patch_size"),
        channels=fields.count("num_channels", default=3),
    )
    if patch_input.patches < 1:
        raise TraceError(
            f"{fields.path}: patch_size={patch_input.patch} must not exceed "
            f"image_size={patch_input.image}; correct the config"
        )
    tokens = patch_input.patches + 1
    return TransformerConfig(
        name=fields.name,
        layers=fields.count("num_hidden_layers", most=MAX_LAYERS),
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=fields.head_dim(hidden, heads),
        ffn=fields.count("intermediate_size"),
        gated_ffn=False,
        activation=fields.activation("hidden_act", default="gelu"),
        norm="layer_norm",
        positions=tokens,
        classes=fields.labels(),
        patch_input=patch_input,
        qkv_bias=fields.flag("qkv_bias", default=True),
        output_bias=True,
        ffn_bias=True,
        usual_seq=tokens,
        max_tokens=tokens,
    )


_FAMILIES = {"llama": _llama, "opt": _opt, "vit": _vit}

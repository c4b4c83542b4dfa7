"""Published transformers by name, each with the source of its numbers."""

from __future__ import annotations

from types import MappingProxyType

from dovetail.models.networks.transformer import PatchInput, TransformerConfig


def _llama2(
    name: str, *, layers: int, hidden: int, heads: int, kv_heads: int, ffn: int
) -> TransformerConfig:
    """LLaMA-2: Touvron et al., arXiv 2307.09288; sizes of the meta-llama/Llama-2-*-hf configs."""
    return TransformerConfig(
        name=name,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=128,
        ffn=ffn,
        gated_ffn=True,
        activation="silu",
        norm="rms_norm",
        vocab=32000,
        usual_seq=2048,
        max_tokens=4096,
    )


def _llama_3b(name: str, *, vocab: int, ternary: bool) -> TransformerConfig:
    """LLaMA of 3 B parameters, floating point or ternary.

    Floating point: the baseline of the BitNet b1.58 paper (arXiv 2402.17764), sizes of the
    openlm-research/open_llama_3b config.  Ternary: BitNet b1.58 3B, sizes and the norm before each
    output projection of the 1bitLLM/bitnet_b1_58-3B config and model.
    """
    return TransformerConfig(
        name=name,
        layers=26,
        hidden=3200,
        heads=32,
        kv_heads=32,
        head_dim=100,
        ffn=8640,
        gated_ffn=True,
        activation="silu",
        norm="rms_norm",
        inner_norms=ternary,
        vocab=vocab,
        tied_head=ternary,
        weight_bits=2 if ternary else None,
        usual_seq=2048,
        max_tokens=2048,
    )


def _bloom(name: str, *, layers: int, hidden: int, heads: int) -> TransformerConfig:
    """BLOOM: Le Scao et al., arXiv 2211.05100; sizes of the bigscience/bloom config."""
    return TransformerConfig(
        name=name,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=hidden // heads,
        ffn=4 * hidden,
        gated_ffn=False,
        activation="gelu_pytorch_tanh",
        norm="layer_norm",
        embedding_norm=True,
        vocab=250880,
        tied_head=True,
        alibi=True,
        qkv_bias=True,
        output_bias=True,
        ffn_bias=True,
        usual_seq=2048,
        max_tokens=2048,
    )


def _opt(name: str, *, layers: int, hidden: int, heads: int) -> TransformerConfig:
    """OPT: Zhang et al., arXiv 2205.01068; sizes of the facebook/opt-* configs."""
    return TransformerConfig(
        name=name,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=hidden // heads,
        ffn=4 * hidden,
        gated_ffn=False,
        activation="relu",
        norm="layer_norm",
        vocab=50272,
        tied_head=True,
        positions=2050,  # 2,048 and the two that the implementation reserves
        qkv_bias=True,
        output_bias=True,
        ffn_bias=True,
        usual_seq=2048,
        max_tokens=2048,
    )


def _vit(name: str, *, layers: int, hidden: int, heads: int) -> TransformerConfig:
    """ViT: Dosovitskiy et al., arXiv 2010.11929, with the ImageNet classifier of 1,000 classes.

    The paper's largest model cuts patches of 14 x 14; ViT-H/16 is the same network with patches
    of 16 x 16, as the MixPE authors run it: 196 patches and the class token.
    """
    patch_input = PatchInput(image=224, patch=16)
    tokens = patch_input.patches + 1
    return TransformerConfig(
        name=name,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=hidden // heads,
        ffn=4 * hidden,
        gated_ffn=False,
        activation="gelu",
        norm="layer_norm",
        positions=tokens,
        classes=1000,
        patch_input=patch_input,
        qkv_bias=True,
        output_bias=True,
        ffn_bias=True,
        usual_seq=tokens,
        max_tokens=tokens,
    )


PUBLISHED = MappingProxyType(
    {
        config.name: config
        for config in (
            _llama2("llama2-7b", layers=32, hidden=4096, heads=32, kv_heads=32, ffn=11008),
            _llama2("llama2-13b", layers=40, hidden=5120, heads=40, kv_heads=40, ffn=13824),
            _llama2("llama2-70b", layers=80, hidden=8192, heads=64, kv_heads=8, ffn=28672),
            _llama_3b("llama-3b", vocab=32000, ternary=False),
            _llama_3b("bitnet-3b", vocab=32002, ternary=True),
            _opt("opt-6.7b", layers=32, hidden=4096, heads=32),
            _opt("opt-175b", layers=96, hidden=12288, heads=96),
            _bloom("bloom-176b", layers=70, hidden=14336, heads=112),
            _vit("vit-b-16", layers=12, hidden=768, heads=12),
            _vit("vit-h-16", layers=32, hidden=1280, heads=16),
        )
    }
)
"""Architecture of each published network."""

"""Scalar operations of the work between GEMMs: what a network computes that no array is given.

Every count follows from the definition that Hugging Face ``transformers`` computes for the LLaMA,
OPT and ViT families.  One addition, multiplication, comparison, exponential, reciprocal, square
root, ``erf`` or ``tanh`` is one operation; copying a value is none.
"""

from __future__ import annotations

from types import MappingProxyType

ACTIVATION_OPERATIONS = MappingProxyType(
    {
        "relu": 1,  # max(x, 0)
        "gelu": 5,  # x / sqrt(2), erf, + 1, * x, / 2
        "gelu_new": 9,  # x * x * x * c + x, * sqrt(2 / pi), tanh, + 1, * x, / 2
        "gelu_pytorch_tanh": 9,  # the same function
        "quick_gelu": 6,  # x * sigmoid(1.702 x)
        "silu": 5,  # x * sigmoid(x): negate, exp, + 1, reciprocal, * x
        "swish": 5,  # another name of silu
    }
)
"""Operations per element of an activation function, by the name Hugging Face gives it."""

ROPE_OPERATIONS = 3  # per element: x * cos + rotated(x) * sin


def rms_norm_operations(length: int) -> int:
    """``x * rsqrt(mean(x^2) + eps) * w``: n squares, n - 1 adds, 3 for the root, 2 n products."""
    return 4 * length + 2


def layer_norm_operations(length: int) -> int:
    """``(x - mean) * rsqrt(var + eps) * w + b``: n for the mean, 3 n + 2 for the root, 3 n."""
    return 7 * length + 2


def softmax_operations(length: int, *, masked: bool, biased: bool = False) -> int:
    """One row of scores: scale, bias, mask, maximum, subtract, exp, sum, divide."""
    return (6 + masked + biased) * length - 1

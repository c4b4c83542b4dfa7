"""Networks by name."""

from __future__ import annotations

from dovetail.errors import TraceError, did_you_mean
from dovetail.models.networks.codenet_trace import CODENET_NAMES, named_codenet
from dovetail.models.networks.m3vit_trace import M3VIT, named_trace
from dovetail.models.networks.mixpe_authors import AUTHORS, AUTHORS_BATCH, authors_trace
from dovetail.models.networks.published import PUBLISHED
from dovetail.models.networks.transformer_trace import LAYER_SUFFIX, transformer_trace
from dovetail.models.trace import Phase, Trace

REAL = "minilm-l6"
"""The network whose weights a package ships; its trace holds real operands."""

_SINGLE_LAYERS = {
    f"{name}{LAYER_SUFFIX}": config
    for name, config in PUBLISHED.items()
    if config.patch_input is None
}


def network_names() -> tuple[str, ...]:
    """Every name that :func:`network` knows."""
    return (*PUBLISHED, *_SINGLE_LAYERS, *AUTHORS, *M3VIT, *CODENET_NAMES, REAL)


def network(
    name: str, *, phase: Phase = "prefill", batch: int | None = None, seq: int | None = None
) -> Trace:
    """Make the trace of a named network.

    Parameters
    ----------
    name : str
        One of :func:`network_names`.
    phase : str
        ``prefill``: ``seq`` tokens of each sequence at once.  ``decode``: one token of each
        sequence after ``seq`` cached ones.
    batch : int or None
        Sequences, images or, for the MixPE authors' networks, rows; where None one, and 64 for
        the authors' networks.
    seq : int or None
        Tokens; where None the network's usual length: 2,048 for language models.
    """
    if name in PUBLISHED:
        return transformer_trace(
            PUBLISHED[name], phase=phase, batch=1 if batch is None else batch, seq=seq
        )
    if name in _SINGLE_LAYERS:
        return transformer_trace(
            _SINGLE_LAYERS[name],
            phase=phase,
            batch=1 if batch is None else batch,
            seq=seq,
            single_layer=True,
        )
    if name in AUTHORS:
        return authors_trace(
            AUTHORS[name], phase=phase, batch=AUTHORS_BATCH if batch is None else batch, seq=seq
        )
    if name in M3VIT:
        return named_trace(name, phase=phase, batch=1 if batch is None else batch, seq=seq)
    if name in CODENET_NAMES:
        return named_codenet(name, phase=phase, batch=batch, seq=seq)
    if name == REAL:
        return _real_network(phase, batch, seq)
    raise TraceError(
        f"no network named {name!r}; {did_you_mean(name, network_names())}the networks are "
        f"{', '.join(network_names())}; one of your own is a .csv, .json or .npz file"
    )


def _real_network(phase: Phase, batch: int | None, seq: int | None) -> Trace:
    """The trace of the packaged sentences, whose number and lengths are what they are."""
    # Loads 90 MB of weights, which no other network needs.
    from dovetail.models.minilm import minilm_sentences
    from dovetail.models.minilm_trace import minilm_trace

    trace = minilm_trace(minilm_sentences())
    for field, asked in (("phase", phase), ("batch", batch), ("seq", seq)):
        if asked not in (None, getattr(trace, field)):
            raise TraceError(
                f"{field}={asked!r} cannot be had of {REAL}, whose sentences fix it to "
                f"{getattr(trace, field)!r}; leave {field} out"
            )
    return trace

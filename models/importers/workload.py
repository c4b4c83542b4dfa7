"""The one front door to workloads: a network's name or a file of any kind that holds one."""

from __future__ import annotations

from pathlib import Path

from dovetail.errors import TraceError
from dovetail.models.importers.hf_config import trace_from_hf_config
from dovetail.models.importers.topology_csv import trace_from_topology_csv
from dovetail.models.networks import network
from dovetail.models.trace import Phase, Trace


def load_workload(
    name_or_path: str | Path,
    *,
    phase: Phase | None = None,
    batch: int | None = None,
    seq: int | None = None,
) -> Trace:
    """Make or read the trace that ``name_or_path`` names.

    Parameters
    ----------
    name_or_path : str or Path
        A network's name, a SCALE-Sim topology ``.csv``, a Hugging Face config ``.json`` or a saved
        trace ``.npz``.
    phase, batch, seq : str, int, int, or None
        Where None, prefill of the network's usual batch and length.  A topology file and a saved
        trace have theirs already: only values equal to it are taken.

    Raises
    ------
    TraceError
        Where there is no such network or the file cannot be read.
    """
    first: Phase = "prefill" if phase is None else phase
    path = Path(name_or_path)
    kind = path.suffix.lower()
    if kind == ".json":
        return trace_from_hf_config(path, phase=first, batch=1 if batch is None else batch, seq=seq)
    if kind == ".csv":
        trace = trace_from_topology_csv(path)
    elif kind == ".npz":
        trace = Trace.load(path)
    else:
        return network(str(name_or_path), phase=first, batch=batch, seq=seq)
    for field, asked in (("phase", phase), ("batch", batch), ("seq", seq)):
        fixed = getattr(trace, field)
        if asked is not None and asked != fixed:
            raise TraceError(
                f"{path}: {field}={asked!r} cannot be had, the file fixes it to {fixed!r}; leave "
                f"{field} out or make another file"
            )
    return trace

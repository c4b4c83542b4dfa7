"""Networks that are not ours: files of other tools, read as traces."""

from dovetail.models.importers.workload import load_workload

__all__ = ["load_workload"]

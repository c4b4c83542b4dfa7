"""What a report says of a system's parts, beside what its sweep found: text, a chart, figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from matplotlib.figure import Figure
from plotly.graph_objects import Figure as Chart


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """One section of a report.

    Attributes
    ----------
    title : str
    paragraphs : tuple of (str, str)
        Heading and text.
    chart : plotly figure or None
    figures : dict of str to matplotlib figure
        For papers, by the name of the file without its ending.
    """

    title: str
    paragraphs: tuple[tuple[str, str], ...]
    chart: Chart | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)

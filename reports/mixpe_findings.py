"""MixPE's PEs beside others, library by library: the section of its report that no sweep gives."""

from __future__ import annotations

import pandas as pd

from dovetail.reports.design_space import NAME, design_space_chart, design_space_figure
from dovetail.reports.findings import Findings
from dovetail.reports.study import Study
from dovetail.sweeps.mixpe_verdict import QUESTION, design_spaces, verdict


def findings(_: Study) -> Findings:
    """From the technology tables that come with Dovetail, whatever priced the sweep."""
    frame = pd.concat(design_spaces().values(), ignore_index=True)
    return Findings(
        title="PEs: quality against area and power",
        paragraphs=((QUESTION, verdict()),),
        chart=design_space_chart(frame),
        figures={NAME: design_space_figure(frame)},
    )

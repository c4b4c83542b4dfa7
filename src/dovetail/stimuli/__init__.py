"""Operands that units and whole cores get, of a real network, and what they must answer."""

from dovetail.stimuli.activity import activity_summary
from dovetail.stimuli.array import ArrayStimulus, array_stimulus
from dovetail.stimuli.registry import stimulated_units, stimulus

__all__ = ["ArrayStimulus", "activity_summary", "array_stimulus", "stimulated_units", "stimulus"]

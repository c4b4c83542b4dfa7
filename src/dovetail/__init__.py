"""dovetail: accelerators as reference model, cycle simulator and RTL that agree.

The sub-packages live at the top of the repository (``arch/``, ``rtl/``, ``sim/`` ...) and are
imported as ``dovetail.arch``, ``dovetail.rtl`` ... in a checkout and in an installed wheel alike.
"""

from pathlib import Path as _Path

__version__ = "0.1.0"

_checkout = _Path(__file__).resolve().parents[2]
if (_checkout / "src" / "dovetail" / "__init__.py").is_file():  # a source tree, not a wheel
    __path__.append(str(_checkout))

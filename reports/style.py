"""How every figure calls, scales and colours a quantity, so that page and paper agree."""

from __future__ import annotations

from dataclasses import dataclass

from dovetail.arch.cores import CORES

COLUMN_INCHES, PAGE_INCHES = 3.5, 7.0
LOG_RATIO = 8
PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


@dataclass(frozen=True, slots=True)
class Look:
    """One series: a colour of Okabe and Ito's palette and a shape, so that neither is needed alone.

    Source of the palette: M. Okabe and K. Ito, "Color Universal Design", 2008.
    """

    colour: str
    marker: str  # Matplotlib's name
    symbol: str  # plotly's name


LOOKS = (
    Look("#0072B2", "o", "circle"),
    Look("#D55E00", "s", "square"),
    Look("#009E73", "^", "triangle-up"),
    Look("#CC79A7", "D", "diamond"),
    Look("#000000", "v", "triangle-down"),
    Look("#E69F00", "P", "cross"),
)

PART_COLOURS = (
    "#0072B2",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#E69F00",
    "#D55E00",
    "#CC79A7",
    "#000000",
    "#999999",
)
"""Parts of a stacked bar, in order; neighbours differ in lightness, so that they survive grey."""

SERIES_NAMES: dict[str, str] = {core: spec.title for core, spec in CORES.items()}
"""Names for values of ``engine.core``; another value is shown as it is."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A column of the report, in SI units, and how it is called."""

    column: str
    name: str
    unit: str  # "" for a ratio
    prefixed: bool = True
    counts: bool = False  # a number of things, after which a reader wants their name

    @property
    def short(self) -> str:
        """For names of files: the column without its unit."""
        return self.column.removesuffix("_s").removesuffix("_j").removesuffix("_mm2")

    def scale(self, largest: float) -> tuple[float, str]:
        """Factor from the column to the axis and the axis' label, for values up to ``largest``."""
        if not self.unit:
            return 1.0, self.name
        if not self.prefixed:
            return 1.0, f"{self.name} ({self.unit})"
        for size, prefix in PREFIXES:
            if self.unit == "s" and size > 1:
                continue  # nobody says kiloseconds
            if abs(largest) >= size:
                return 1 / size, f"{self.name} ({prefix}{self.unit})"
        return 1.0, f"{self.name} ({self.unit})"

    def text(self, value: float) -> str:
        """The value as a reader of a sentence wants it: three digits and a unit."""
        if not self.unit:
            return f"{value:,.0f} {self.name}" if self.counts else f"{value:.3g}"
        factor, label = self.scale(value)
        return f"{rounded(value * factor)} {label.removeprefix(self.name).strip(' ()')}"


def is_wide(smallest: float, largest: float) -> bool:
    """Whether an axis over these values is logarithmic."""
    return 0 < smallest and largest >= LOG_RATIO * smallest


def rounded(value: float) -> str:
    """Three significant digits, without an exponent where a person would write none."""
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e6:
        digits = max(0, 2 - _decade(value))
        return f"{round(value, 2 - _decade(value)):,.{digits}f}"
    return f"{value:.3g}"


def _decade(value: float) -> int:
    return int(f"{abs(value):.2e}".split("e")[1])


TIME = Quantity("time_s", "time", "s")
ENERGY = Quantity("energy_j", "energy", "J")
AREA = Quantity("area_mm2", "area", "mm²", prefixed=False)
ERROR = Quantity("error", "error (1 − cosine)", "")
QUANTITIES = (TIME, ENERGY, AREA, ERROR)


def component_name(name: str) -> str:
    """``activation_spad`` as a reader says it."""
    words = {"dram": "DRAM", "pe": "PE", "spad": "scratchpad"}
    return " ".join(words.get(word, word) for word in name.split("_"))


def series_name(value: str) -> str:
    return SERIES_NAMES.get(value, value)


def setting_name(field: str) -> str:
    """A design's field without the parts that a reader can do without."""
    return field.rsplit(".", 1)[-1].removesuffix("_bytes").removesuffix("_bits").replace("_", " ")


def setting_text(field: str, value: object) -> str:
    """``engine.port_bits`` and 512 as ``512-bit port``."""
    name = setting_name(field)
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, bool):
        return name if value else f"no {name}"
    if field.endswith("_bytes") and isinstance(value, int):
        size = f"{value // 1024} KiB" if value % 1024 == 0 else f"{value} B"
        return f"{size} {name}"
    if field.endswith("_bits"):
        return f"{shown}-bit {name}"
    if field.endswith("lut_k"):
        return f"steps of {shown}"
    if field.endswith("_mhz"):
        return f"{shown} MHz"
    return f"{name} {shown}"


def is_buffers(fields: list[str]) -> bool:
    """Whether these fields are several capacities, which a label can say as one."""
    return len(fields) > 1 and all(field.endswith("_buffer_bytes") for field in fields)


def settings_text(settings: dict[str, object]) -> str:
    """One setting, or several buffers as ``buffers 8/8/32 KiB``."""
    if is_buffers(list(settings)):
        sizes = "/".join(f"{int(str(value)) / 1024:g}" for value in settings.values())
        return f"buffers {sizes} KiB"
    return ", ".join(setting_text(field, value) for field, value in settings.items())

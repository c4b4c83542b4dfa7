"""MixPE design points: an engine and the number formats it runs, with presets.

Source: arXiv 2411.16158 and the authors' simulator; each preset file says which of its values the
source states and which are ours.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from importlib.resources import files
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.spad import is_power_of_two
from dovetail.arch.validation import refused_in_one_line
from dovetail.errors import ConfigError


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class MixpeDesign:
    """One MixPE (or baseline) accelerator with the formats of the network it runs.

    Attributes
    ----------
    engine : GemmEngineConfig
        The hardware; ``engine.core`` tells MixPE from its INT8 baseline.
    group : int
        Length of a weight group along k, a power of two up to ``engine.max_group``.
    zero_point : bool
        Weights 0..15 with a zero point per group; else symmetric, -8..7.
    kv_bits : int
        Bits of keys and values, the run-time "weights" of attention: 8 takes cores whose PEs
        multiply nibbles two passes, 4 one.  The FP16 core, which quantises nothing, takes them in
        FP16 and refuses 4.
    """

    engine: GemmEngineConfig
    group: int = 128
    zero_point: bool = False
    kv_bits: Literal[4, 8] = 8

    @model_validator(mode="after")
    def _check(self) -> MixpeDesign:
        if not is_power_of_two(self.group) or self.group > self.engine.max_group:
            raise ValueError(
                f"group={self.group} must be a power of two up to max_group="
                f"{self.engine.max_group}; use a shorter group or build a larger engine"
            )
        if self.engine.spec.dequantise == "never" and (self.kv_bits == 4 or self.zero_point):
            raise ValueError(
                f"core={self.engine.core} quantises nothing, so kv_bits=4 and zero_point=true do "
                f"not apply to it; remove them or use another core"
            )
        return self

    @property
    def design_id(self) -> str:
        """Twelve hex digits that name this design point; equal designs have equal ids."""
        text = json.dumps(_ADAPTER.dump_python(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """Plain data from which :func:`mixpe_design` makes an equal design."""
        data: dict[str, Any] = _ADAPTER.dump_python(self)
        return data


_ADAPTER: TypeAdapter[MixpeDesign] = TypeAdapter(MixpeDesign)


def mixpe_design(values: dict[str, Any], *, source: str = "<dict>") -> MixpeDesign:
    """Validate plain data (parsed TOML) into a design point, naming ``source`` in any error."""
    with refused_in_one_line(source, kind="a MixPE design"):
        # JSON mode keeps strict types and still turns nested tables into nested configurations.
        return _ADAPTER.validate_json(json.dumps(values, default=str))


def presets() -> tuple[str, ...]:
    """Names of the packaged presets."""
    folder = files("dovetail.arch") / "presets" / "mixpe"
    return tuple(sorted(p.name.removesuffix(".toml") for p in folder.iterdir()))


def preset(name: str) -> MixpeDesign:
    """Load the packaged preset ``name``, such as ``"w4a8-32x32"``."""
    path = files("dovetail.arch") / "presets" / "mixpe" / f"{name}.toml"
    if not path.is_file():
        raise ConfigError(f"no preset named {name!r}; the presets are {', '.join(presets())}")
    return mixpe_design(tomllib.loads(path.read_text()), source=f"preset {name}")

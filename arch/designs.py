"""What the design points of all systems have in common: identity, plain data, packaged presets."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import asdict
from importlib.resources import files
from typing import Any, Generic, TypeVar, cast

from pydantic import TypeAdapter

from dovetail.arch.validation import refused_in_one_line
from dovetail.errors import ConfigError, did_you_mean

__all__ = ["Design", "DesignFamily"]


class Design:
    """Base of a design point, a pydantic dataclass without state beside its fields."""

    @property
    def design_id(self) -> str:
        """Twelve hex digits that name this design point; equal designs have equal ids."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """Plain data from which the family's :meth:`DesignFamily.design` makes an equal design."""
        return asdict(cast(Any, self))


AnyDesign = TypeVar("AnyDesign", bound=Design)


class DesignFamily(Generic[AnyDesign]):
    """How one kind of design is made, and which of them are packaged.

    Parameters
    ----------
    kind : type
        Of the designs.
    title : str
        What one is, with its article, for messages: ``"a MixPE design"``.
    folder : str
        Below ``arch/presets``: one TOML file a preset.
    """

    def __init__(self, kind: type[AnyDesign], *, title: str, folder: str) -> None:
        self._adapter = TypeAdapter(kind)
        self._title = title
        self._folder = folder

    def design(self, values: dict[str, Any], *, source: str = "<dict>") -> AnyDesign:
        """Validate plain data (parsed TOML) into a design point, naming ``source`` in any error."""
        with refused_in_one_line(source, kind=self._title):
            # JSON mode keeps strict types and still turns nested tables into nested configurations.
            return self._adapter.validate_json(json.dumps(values, default=str))

    def presets(self) -> tuple[str, ...]:
        """Names of the packaged presets."""
        folder = files("dovetail.arch") / "presets" / self._folder
        return tuple(sorted(p.name.removesuffix(".toml") for p in folder.iterdir()))

    def preset(self, name: str) -> AnyDesign:
        """Load the packaged preset ``name``; ConfigError where there is none."""
        path = files("dovetail.arch") / "presets" / self._folder / f"{name}.toml"
        if not path.is_file():
            raise ConfigError(
                f"no preset named {name!r}; {did_you_mean(name, self.presets())}the presets are "
                f"{', '.join(self.presets())}"
            )
        return self.design(tomllib.loads(path.read_text()), source=f"preset {name}")

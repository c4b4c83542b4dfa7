"""Fields of a Hugging Face ``config.json``, read with messages that a user can act on."""

from __future__ import annotations

import json
import reprlib
from pathlib import Path
from typing import Any

from dovetail.errors import TraceError
from dovetail.models.checks import check_count
from dovetail.models.networks.other_work import ACTIVATION_OPERATIONS
from dovetail.models.networks.transformer import MAX_SIZE


class ConfigFields:
    """Fields of the JSON object in a file; ``read`` collects the names that were asked for.

    Every reader raises :class:`TraceError` with file, field, value and rule; a field that is null
    counts as missing, as in ``transformers``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read: set[str] = set()
        try:
            values = json.loads(path.read_bytes())
        except OSError as error:
            raise TraceError(f"{path}: {error.strerror}; name a config.json that exists") from None
        except (ValueError, RecursionError):
            raise TraceError(
                f"{path}: not JSON, or cut short; save the model's config.json again"
            ) from None
        if not isinstance(values, dict):
            raise TraceError(
                f"{path}: holds {reprlib.repr(values)}; a config.json holds one object with the "
                f"model's fields; save it again"
            )
        self.values: dict[str, Any] = values

    def get(self, name: str) -> Any:
        """The field as it stands, None where it is missing."""
        self.read.add(name)
        return self.values.get(name)

    def count(self, name: str, *, default: int | None = None, most: int = MAX_SIZE) -> int:
        """A whole number from 1 to ``most``; missing takes the default if there is one."""
        value = self.get(name)
        if value is None:
            if default is None:
                raise TraceError(
                    f"{self.path}: {name} is missing; a config of this family must state it"
                )
            return default
        return check_count(
            value, what=f"{self.path}: {name}", most=most, advice="correct the config"
        )

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false; missing takes the default."""
        value = self.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise TraceError(
                f"{self.path}: {name}={reprlib.repr(value)} must be true or false; "
                f"correct the config"
            )
        return value

    def activation(self, name: str, *, default: str) -> str:
        """The name of an activation function whose operations are known."""
        value = self.get(name)
        if value is None:
            return default
        if not isinstance(value, str) or value not in ACTIVATION_OPERATIONS:
            raise TraceError(
                f"{self.path}: {name}={reprlib.repr(value)} must be one of "
                f"{', '.join(sorted(ACTIVATION_OPERATIONS))}; correct the config"
            )
        return value

    def head_dim(self, hidden: int, heads: int) -> int:
        """``hidden / heads``, which must be whole."""
        if hidden % heads:
            raise TraceError(
                f"{self.path}: hidden_size={hidden} must be a multiple of "
                f"num_attention_heads={heads}; correct the config"
            )
        return hidden // heads

    def labels(self) -> int:
        """Classes of a classifier: the entries of ``id2label``; 0 without it."""
        value = self.get("id2label")
        if value is None:
            return 0
        if not isinstance(value, dict):
            raise TraceError(
                f"{self.path}: id2label={reprlib.repr(value)} must be an object of labels; "
                f"correct the config"
            )
        return len(value)

    @property
    def name(self) -> str:
        """The model's folder where the file has the usual name, else the file's own."""
        path = self.path.resolve()
        return (path.parent.name if path.name == "config.json" else path.stem) or path.stem

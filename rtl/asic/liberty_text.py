"""Liberty syntax: groups, attributes and values, without their meaning."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dovetail.errors import ToolError

__all__ = ["Group", "group_end", "parse_group", "read_liberty", "without_comments"]

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_STATEMENT = re.compile(
    r"""\s*(?:
        (?P<name>\w+)\s*
        (?:
            \((?P<arguments>(?:"[^"]*"|[^()"])*)\)\s*(?:(?P<open>\{)|;)?
          | :\s*(?P<value>"[^"]*"|[^;{}\n]*?)\s*(?:;|(?=\n)|(?=\}))
        )
      | (?P<close>\})
      | ;
    )""",
    re.VERBOSE,
)
_BRACE = re.compile(r"[{}]")


@dataclass(slots=True)
class Group:
    """One ``kind (arguments) { ... }``.

    Attributes
    ----------
    kind : str
    arguments : tuple of str
        What stands in the parentheses, split at commas, without quotes.
    values : dict of str to list of str
        Attributes by name, both ``name : value`` and ``name (value)``, without quotes; one for each
        time that it occurs.
    groups : list of Group
        Groups inside, in order.
    """

    kind: str
    arguments: tuple[str, ...]
    values: dict[str, list[str]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def get(self, name: str, default: str = "") -> str:
        """The last value of an attribute."""
        return self.values.get(name, [default])[-1]

    def all(self, *kinds: str) -> Iterator[Group]:
        """Groups directly inside that are of one of ``kinds``."""
        return (group for group in self.groups if group.kind in kinds)


def read_liberty(path: Path) -> bytes:
    """A Liberty file, unpacked.

    Raises
    ------
    ToolError
        Where it cannot be read or is visibly something else.
    """
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ToolError(
            f"cannot read Liberty file {path}: {reason}; give a readable .lib or .lib.gz file"
        ) from None
    if not re.search(rb"\blibrary\s*\(", raw):
        raise ToolError(f"{path} holds no library(...) group; give a Liberty file")
    return raw


def without_comments(text: str) -> str:
    """Liberty text without what stands between ``/*`` and ``*/``."""
    return _COMMENT.sub("", text)


def parse_group(text: str, *, skip: frozenset[str] = frozenset()) -> Group:
    """Parse one group, from its name to its closing brace; what follows it is not looked at.

    Parameters
    ----------
    text : str
        Begins with the group's name; has no comments.
    skip : set of str
        Kinds of groups that are left out, however deep; their text is not parsed.

    Raises
    ------
    ToolError
        Where the text ends early or is not Liberty syntax; names the group.
    """
    text = text.replace("\\\n", " ").replace("\\\r\n", " ")
    open_groups: list[Group] = []
    position = 0
    while True:
        match = _STATEMENT.match(text, position)
        if match is None:
            inside = open_groups[0].kind if open_groups else "the text"
            names = " ".join(open_groups[0].arguments) if open_groups else ""
            near = " ".join(text[position : position + 40].split())
            raise ToolError(
                f"no Liberty syntax in {inside} ({names}) at {near!r}; give the whole file"
            )
        position = match.end()
        kind = match["name"]
        if match["close"]:
            group = open_groups.pop()
            if not open_groups:
                return group
        elif match["open"] and kind in skip:
            position = group_end(text, position)
        elif match["open"]:
            group = Group(kind, tuple(_unquoted(part) for part in match["arguments"].split(",")))
            if open_groups:
                open_groups[-1].groups.append(group)
            open_groups.append(group)
        elif kind and open_groups:
            value = match["arguments"] if match["value"] is None else match["value"]
            open_groups[-1].values.setdefault(kind, []).append(_unquoted(value))


def group_end(text: str, position: int) -> int:
    """Where the group ends, brace included, whose opening brace stands just before ``position``."""
    depth = 1
    for brace in _BRACE.finditer(text, position):
        depth += 1 if brace.group() == "{" else -1
        if not depth:
            return brace.end()
    return len(text)


def _unquoted(text: str) -> str:
    return text.replace('"', "").strip()

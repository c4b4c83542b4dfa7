"""A Verilog netlist in the subset that OpenSTA reads: no ``signed``, no concatenation in assigns.

Yosys joins the parts of a bus in one assign, ``assign { a[6:5], b } = { 2'b01, c };``, which
OpenSTA 2.0 refuses.  Here each bit gets an assign of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

__all__ = ["opensta_verilog"]

_SIGNED = re.compile(r"^(\s*(?:input|output|wire)) signed\b", flags=re.M)
_DECLARED = re.compile(r"^\s*(?:input|output|wire) (?:\[(\d+):(\d+)\] )?(\\\S+|\w+) ?;", flags=re.M)
_ASSIGN = re.compile(r"^  assign (.*[{}].*) = (.*);$|^  assign (.*) = (.*[{}].*);$", flags=re.M)
# An escaped name ends at a space, so brackets right behind it are part of it.
_TERM = re.compile(r"(?:(\w+)|(\\\S+))(?: ?\[(\d+)(?::(\d+))?\])?")
_CONSTANT = re.compile(r"\d+'b([01]+)")


def opensta_verilog(text: str) -> str:
    """Rewrite what ``write_verilog -noattr -noexpr -nohex`` wrote of a mapped module."""
    text = _SIGNED.sub(r"\1", text)
    ranges = {
        name: (int(high or 0), int(low or 0), bool(high))
        for high, low, name in _DECLARED.findall(text)
    }

    def split(found: re.Match[str]) -> str:
        left, right = (side for side in found.groups() if side is not None)
        pairs = zip(_bits(left, ranges), _bits(right, ranges), strict=True)
        return "\n".join(f"  assign {target} = {source};" for target, source in pairs)

    return _ASSIGN.sub(split, text)


def _bits(side: str, ranges: Mapping[str, tuple[int, int, bool]]) -> Iterator[str]:
    """Bits of one side of an assign, first of all the top one."""
    for term in side.strip("{} ").split(", "):
        constant = _CONSTANT.fullmatch(term.strip())
        if constant:
            yield from (f"1'b{bit}" for bit in constant[1])
            continue
        found = _TERM.fullmatch(term.strip())
        assert found, f"{term!r} is no part of a net"
        plain, escaped, high, low = found.groups()
        first, last, is_bus = ranges[plain or escaped]
        if high is not None:
            first, last, is_bus = int(high), int(low or high), True
        name = plain or f"{escaped} "
        for index in range(first, last - 1, -1):
            yield f"{name}[{index}]" if is_bus else name

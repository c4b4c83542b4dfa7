"""Boolean expressions as Liberty writes them: parsed, evaluated, and written as Verilog."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import ToolError

__all__ = ["Function", "parse_function"]

Operator = Literal["port", "zero", "one", "not", "and", "or", "xor"]

_TOKEN = re.compile(r"\s*([A-Za-z_]\w*|[01](?!\w)|[!'&*|+^()])")
_VERILOG = {"and": "&", "or": "|", "xor": "^"}
# From the loosest to the tightest; two operands side by side are an "and" as well.
_BINARY: tuple[tuple[Operator, str], ...] = (("or", "|+"), ("and", "&*"), ("xor", "^"))


@dataclass(frozen=True, slots=True)
class Function:
    """One node of an expression: an operator over operands, a port, or a constant."""

    operator: Operator
    operands: tuple[Function, ...] = ()
    name: str = ""

    def ports(self) -> Iterator[str]:
        """Names in the order in which they occur, repeated as often as they occur."""
        if self.operator == "port":
            yield self.name
        for operand in self.operands:
            yield from operand.ports()

    def evaluate(self, values: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """The expression's value for each element of the arrays that ``values`` gives its ports."""
        if self.operator == "port":
            return values[self.name]
        if self.operator in ("zero", "one"):
            return np.asarray(self.operator == "one")
        first = self.operands[0].evaluate(values)
        if self.operator == "not":
            return ~first
        second = self.operands[1].evaluate(values)
        if self.operator == "and":
            return first & second
        return first | second if self.operator == "or" else first ^ second

    def verilog(self) -> str:
        """The expression with every operation in parentheses."""
        if self.operator == "port":
            return self.name
        if self.operator in ("zero", "one"):
            return "1'b1" if self.operator == "one" else "1'b0"
        if self.operator == "not":
            return f"~{self.operands[0].verilog()}"
        first, second = (operand.verilog() for operand in self.operands)
        return f"({first} {_VERILOG[self.operator]} {second})"


def parse_function(text: str) -> Function:
    """Parse a Liberty expression.

    Operators from the tightest: ``'`` after and ``!`` before an operand, ``^``, then ``&``, ``*``
    or a space, then ``|`` or ``+``; all of them group to the left.

    Raises
    ------
    ToolError
        Where the text is no such expression.
    """
    tokens: list[str] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise _error(text)
        tokens.append(match.group(1))
        position = match.end()
    rest = tokens[::-1]
    function = _binary(rest, text, 0)
    if rest:
        raise _error(text)
    return function


def _binary(rest: list[str], text: str, level: int) -> Function:
    if level == len(_BINARY):
        return _operand(rest, text)
    operator, symbols = _BINARY[level]
    left = _binary(rest, text, level + 1)
    while rest:
        if rest[-1] in symbols:
            rest.pop()
        elif operator != "and" or rest[-1] in "|+^)'":
            break
        left = Function(operator, (left, _binary(rest, text, level + 1)))
    return left


def _operand(rest: list[str], text: str) -> Function:
    token = rest.pop() if rest else ""
    if token == "!":
        return Function("not", (_operand(rest, text),))
    if token == "(":
        inner = _binary(rest, text, 0)
        if not rest or rest.pop() != ")":
            raise _error(text)
    elif token in ("0", "1"):
        inner = Function("one" if token == "1" else "zero")
    elif token and (token[0].isalpha() or token[0] == "_"):
        inner = Function("port", name=token)
    else:
        raise _error(text)
    while rest and rest[-1] == "'":
        rest.pop()
        inner = Function("not", (inner,))
    return inner


def _error(text: str) -> ToolError:
    return ToolError(
        f"{text!r} is no Liberty expression; it may hold names, 0, 1, ! ' & * | + ^ and parentheses"
    )

"""rtl/asic/function.py: Liberty expressions mean what Python's operators say."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.errors import ToolError
from dovetail.rtl.asic.function import parse_function

AXES = {name: np.indices((2, 2, 2))[k].astype(bool) for k, name in enumerate("ABC")}


def test_operators_bind_as_liberty_says() -> None:
    a, b, c = AXES["A"], AXES["B"], AXES["C"]
    expected = {
        "!A": ~a,
        "A'": ~a,
        "!A'": a,
        "A B": a & b,
        "A*B + C": (a & b) | c,
        "A + B & C": a | (b & c),
        "A ^ B C": (a ^ b) & c,
        "A | B ^ C": a | (b ^ c),
        "(A + B)' C": ~(a | b) & c,
        "!A B": ~a & b,
        "(!A) + (!B)": ~a | ~b,
        "A & 1 | 0": a,
    }
    for text, want in expected.items():
        np.testing.assert_array_equal(parse_function(text).evaluate(AXES), want, err_msg=text)


EXPRESSIONS = st.recursive(
    st.sampled_from("ABC"),
    lambda inner: st.one_of(
        inner.map(lambda x: f"!{x}"),
        st.tuples(inner, st.sampled_from("&|^"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    ),
    max_leaves=12,
)


@given(EXPRESSIONS)
def test_value_and_verilog_agree_with_python(text: str) -> None:
    function = parse_function(text)
    value = np.broadcast_to(function.evaluate(AXES), (2, 2, 2))
    # Python's operators on bits, from the text and from the Verilog made of it.
    for a, b, c in itertools.product((0, 1), repeat=3):
        names = {"A": a, "B": b, "C": c}
        assert value[a, b, c] == eval(text.replace("!", "~"), {}, names) & 1
        assert value[a, b, c] == eval(function.verilog(), {}, names) & 1


@pytest.mark.parametrize("text", ["", "A &", "(A", "A)", "A ? B", "& A", "A || B"])
def test_refuses_what_is_no_expression(text: str) -> None:
    with pytest.raises(ToolError, match=rf"^{re.escape(repr(text))} is no Liberty expression; it"):
        parse_function(text)

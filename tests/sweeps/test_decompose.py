"""sweeps/decompose.py."""

from itertools import product
from math import log2

import pandas as pd
import pytest

from dovetail.errors import ConfigError
from dovetail.sweeps.decompose import decompose

START, END = {"a": 0, "b": 0, "c": 0}, {"a": 1, "b": 1, "c": 1}


def table(value) -> pd.DataFrame:
    return pd.DataFrame(
        [{"a": a, "b": b, "c": c, "time": value(a, b, c)} for a, b, c in product((0, 1), repeat=3)]
    )


def terms(found: pd.DataFrame) -> dict[str, float]:
    return dict(zip(found["term"], found["ratio"], strict=True))


def test_independent_changes_multiply_and_have_no_interaction() -> None:
    found = terms(
        decompose(table(lambda a, b, c: 10 * 2**a * 0.5**b), "time", start=START, end=END)
    )
    assert [found[name] for name in "abc"] == pytest.approx([2, 0.5, 1])
    assert found["total"] == pytest.approx(1)
    assert all(found[name] == pytest.approx(1) for name in found if " x " in name)


def test_what_two_changes_do_only_together_is_their_interaction() -> None:
    found = terms(
        decompose(table(lambda a, b, c: 8 if a and b else 1), "time", start=START, end=END)
    )
    assert found["a x b"] == 8
    assert found["total"] == 8
    assert all(found[name] == 1 for name in found if name not in ("a x b", "total"))


def test_the_terms_add_up_in_logarithms() -> None:
    values = {key: 3.0 + 7 * i % 11 for i, key in enumerate(product((0, 1), repeat=3))}
    found = decompose(table(lambda *key: values[key]), "time", start=START, end=END)
    assert len(found) == 7 + 1
    parts = found[found["term"] != "total"]["log2_ratio"]
    assert parts.sum() == pytest.approx(log2(values[1, 1, 1] / values[0, 0, 0]))
    assert found["log2_ratio"].iloc[-1] == pytest.approx(parts.sum())
    # By hand: what b and c do together, beyond what each does alone.
    bc = values[0, 1, 1] * values[0, 0, 0] / (values[0, 1, 0] * values[0, 0, 1])
    assert terms(found)["b x c"] == pytest.approx(bc)


def test_what_does_not_change_has_no_term() -> None:
    found = decompose(
        table(lambda a, b, c: 1 + a + c), "time", start=START, end={"a": 1, "b": 0, "c": 0}
    )
    assert terms(found) == {"a": 2, "total": 2}


def test_a_missing_or_ambiguous_cell_is_refused() -> None:
    whole = table(lambda a, b, c: 1)
    with pytest.raises(
        ConfigError,
        match=r"^the table has 0 rows with a=1, b=0, c=0; it needs one: complete it, or choose by "
        r"what else its rows differ$",
    ):
        decompose(whole[whole["a"] == 0], "time", start=START, end=END)
    with pytest.raises(ConfigError, match=r"^the table has 2 rows with a=0, b=0, c=0; it needs"):
        decompose(pd.concat([whole, whole]), "time", start=START, end=END)

from __future__ import annotations

import decimal
import enum
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsteps.run import values

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.sampled_from(["$float", "$$float", "$"]), inner, max_size=4)
    ),
    max_leaves=20,
)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_every_value_survives_strict_json(value: Any) -> None:
    text = values.dumps(value)
    json.loads(text, parse_constant=refuse)
    assert "\n" not in text
    assert text.isascii()
    assert repr(values.loads(text)) == repr(value)


@pytest.mark.parametrize(("value", "text"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")])
def test_numbers_that_json_lacks(value: float, text: str) -> None:
    assert json.loads(values.dumps({"x": value})) == {"x": {"$float": text}}


def test_a_users_dict_is_not_taken_for_a_number() -> None:
    assert values.loads(values.dumps({"$float": "nan"})) == {"$float": "nan"}


class Colour(enum.IntEnum):
    RED = 3


class Tensor:
    def item(self) -> float:
        return 1.5


class Eager:
    def __float__(self) -> float:
        return 2.5


class Broken:
    def __float__(self) -> float:
        raise RuntimeError("no")

    def __str__(self) -> str:
        return "broken"


@pytest.mark.parametrize(
    ("value", "expected", "faithful"),
    [
        (None, None, True),
        (True, True, True),
        (Colour.RED, 3, True),
        (Tensor(), 1.5, True),
        (Eager(), 2.5, True),
        (decimal.Decimal("0.25"), 0.25, True),
        (1 + 2j, "(1+2j)", False),
        (Broken(), "broken", False),
        ((1, 2), "(1, 2)", False),
        (b"x", "b'x'", False),
    ],
)
def test_scalars(value: object, expected: object, faithful: bool) -> None:
    converted = values.to_scalar(value)
    assert converted == (expected, faithful)
    assert type(converted.value) is type(expected)


def test_numpy_scalars() -> None:
    np = pytest.importorskip("numpy")
    cases = [
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.longdouble(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array(2.0), 2.0),
        (np.array([2.0]), 2.0),
    ]
    for value, expected in cases:
        converted = values.to_scalar(value)
        assert converted == (expected, True)
        assert type(converted.value) is type(expected)
    assert values.to_scalar(np.array([1, 2])) == ("[1 2]", False)
    assert values.to_scalar(np.complex128(1j)) == ("1j", False)


def test_lists() -> None:
    np = pytest.importorskip("numpy")
    assert values.to_list(np.arange(3)) == [0, 1, 2]
    assert values.to_list(number for number in range(2)) == [0, 1]
    assert values.to_list({1}) == [1]
    for single in ("ab", b"ab", {"a": 1}, 3, np.array(3), np.float64(1)):
        assert values.to_list(single) is None


def test_nested_values() -> None:
    np = pytest.importorskip("numpy")
    given_value = {1: np.array([[1, 2], [3, 4]]), "deep": [{"x": np.float32(0.5)}, (1, {2})], "odd": object}
    assert values.to_json(given_value) == {
        "1": [[1, 2], [3, 4]],
        "deep": [{"x": 0.5}, [1, [2]]],
        "odd": str(object),
    }

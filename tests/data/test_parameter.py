"""A parameter's type is its default's type."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps import DataPath, Datastore, PipelineParameter
from mlsteps.exceptions import PipelineParameterError

plain = st.one_of(st.booleans(), st.integers(), st.floats(), st.text())


@given(plain, plain)
def test_a_value_of_exactly_the_declared_type_is_taken_and_no_other(default: Any, value: Any) -> None:
    parameter = PipelineParameter("p", default)
    if type(default) is type(value):
        assert parameter.check(value) is value
    else:
        with pytest.raises(PipelineParameterError, match="'p' must be"):
            parameter.check(value)


@given(st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()))
def test_a_default_typed_as_text_is_the_default(default: Any) -> None:
    value = PipelineParameter("p", default).from_text(str(default))
    assert value == default and type(value) is type(default)


@pytest.mark.parametrize(
    ("default", "text", "value"),
    [
        (True, "No", False),
        (False, " 1 ", True),
        (3, " 7 ", 7),
        (0.5, "1", 1.0),
        (0.5, "1e-3", 0.001),
        ("a", "", ""),
    ],
)
def test_text_becomes_the_declared_type(default: Any, text: str, value: Any) -> None:
    got = PipelineParameter("p", default).from_text(text)
    assert got == value and type(got) is type(value)


@pytest.mark.parametrize(("default", "text"), [(True, "maybe"), (3, "1.5"), (3, ""), (0.5, "fast")])
def test_text_that_is_no_such_value_is_refused(default: Any, text: str) -> None:
    with pytest.raises(PipelineParameterError, match=f"'p' must be .*{text!r}"):
        PipelineParameter("p", default).from_text(text)


@pytest.mark.parametrize("default", [None, [1], {"a": 1}, (1,), b"x", 1j])
def test_other_defaults_are_refused(default: Any) -> None:
    with pytest.raises(PipelineParameterError, match="'p': the default must be"):
        PipelineParameter("p", default)


@pytest.mark.parametrize("name", ["", None, 1])
def test_a_name_is_needed(name: Any) -> None:
    with pytest.raises(PipelineParameterError, match="needs a name"):
        PipelineParameter(name, 1)


@pytest.mark.parametrize(
    ("default", "kind"), [(True, "boolean"), (1, "integer"), (1.0, "number"), ("a", "string")]
)
def test_the_form_field_has_the_default_s_type(default: Any, kind: str) -> None:
    parameter = PipelineParameter("p", default)
    assert (parameter.json_type, parameter.form_default) == (kind, default)


def test_a_data_path_is_written_as_datastore_and_path(datastore: Datastore) -> None:
    named = Datastore(datastore.workspace, "raw")
    parameter = PipelineParameter("p", DataPath(named, "2026/01"))
    assert (parameter.json_type, parameter.form_default) == ("string", "raw/2026/01")
    assert parameter.check(DataPath(named, "2026/02")) == "raw/2026/02"
    assert parameter.check("raw/2026/03") == "raw/2026/03"
    assert parameter.from_text("raw/x") == "raw/x"
    with pytest.raises(PipelineParameterError):
        parameter.check(7)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(1, 1, True), (1, True, False), (1, 1.0, False), ("a", "a", True), ("a", "b", False)],
)
def test_defaults_agree_by_type_and_value(one: Any, other: Any, same: bool) -> None:
    assert PipelineParameter("p", one).same_default(PipelineParameter("p", other)) is same


def test_it_stands_in_a_text_as_its_token() -> None:
    parameter = PipelineParameter("learning-rate", 0.1)
    assert f"--lr={parameter}" == "--lr=$AML_PARAMETER_learning_rate"
    assert parameter.serialize() == str(parameter)
    assert repr(parameter) == "PipelineParameter(name='learning-rate', default_value=0.1)"


def test_a_value_keeps_to_what_was_declared() -> None:
    size = PipelineParameter(
        "size", "small", choices=["small", "large"], title="Size", description="How *big*"
    )
    assert size.check("large") == "large" and size.choices == ("small", "large")
    with pytest.raises(PipelineParameterError, match="'size': 'huge' is none of 'small', 'large'"):
        size.check("huge")
    rate = PipelineParameter("rate", 0.5, minimum=0, maximum=1)
    assert rate.check(1.0) == 1.0
    for value, problem in ((1.5, "above the maximum of 1"), (-1.0, "below the minimum of 0")):
        with pytest.raises(PipelineParameterError, match=f"'rate': {value} is {problem}"):
            rate.check(value)
    with pytest.raises(PipelineParameterError, match="'rate': nan is below"):
        rate.check(float("nan"))


@pytest.mark.parametrize(
    ("default", "options", "problem"),
    [
        ("a", {"choices": ["b"]}, "the default 'a' is none of 'b'"),
        ("a", {"choices": ["a", 1]}, "choices are texts or numbers like the default"),
        ("a", {"choices": ["a", "a"]}, "choices has a value twice"),
        (True, {"choices": [True]}, "choices are texts or numbers like the default"),
        (1, {"choices": [1, True]}, "choices are texts or numbers like the default"),
        (3, {"maximum": 2}, "the default 3 is above the maximum of 2"),
        (3, {"minimum": "2"}, "minimum is a number"),
        ("a", {"minimum": 1}, "minimum is a number, of a parameter that is one"),
    ],
)
def test_what_does_not_fit_the_default_is_refused(default: Any, options: Any, problem: str) -> None:
    with pytest.raises(PipelineParameterError, match=f"'p': {problem}"):
        PipelineParameter("p", default, **options)

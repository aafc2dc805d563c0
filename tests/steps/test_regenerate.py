"""The run parameter regenerate_outputs, however it is said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.exceptions import PipelineParameterError
from mlsteps.steps.regenerate import Regenerate

OFF = Regenerate()
ALL = Regenerate(everything=True)

# Names that have no meaning of their own.
NAMES = st.text(st.characters(categories=["L", "N", "Zs"], include_characters="-_."), min_size=1).filter(
    lambda name: name.strip() and name.strip().lower() not in ("off", "none", "false", "no", "all")
)


def steps(*names: str) -> Regenerate:
    return Regenerate(steps=frozenset(names))


@pytest.mark.parametrize(
    "value", [None, False, "", " ", "off", "OFF", " Off ", "none", "false", "False", "no", [], (), ["off"]]
)
def test_off(value: Any) -> None:
    assert Regenerate.parse(value) == OFF
    assert not OFF.forces("train")


@pytest.mark.parametrize("value", [True, "all", "ALL", " all ", "true", "True", "yes", ["all"], ["a", "All"]])
def test_all(value: Any) -> None:
    assert Regenerate.parse(value) == ALL
    assert ALL.forces("train") and ALL.forces()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("train", steps("train")),
        (" train ", steps("train")),
        ("prepare data,train", steps("prepare data", "train")),
        ("prepare , train,", steps("prepare", "train")),
        (["prepare", " train "], steps("prepare", "train")),
        (("train", "train"), steps("train")),
        ('["prepare, then train", "all but one"]', steps("prepare, then train", "all but one")),
        (' ["train"] ', steps("train")),
        ("[]", OFF),
        (",", OFF),
        ('["all"]', ALL),
        ("train,all", ALL),
    ],
)
def test_some_steps(value: Any, expected: Regenerate) -> None:
    assert Regenerate.parse(value) == expected


@given(st.lists(NAMES))
def test_a_list_and_its_json_say_the_same(names: list[str]) -> None:
    expected = Regenerate(steps=frozenset(name.strip() for name in names))
    assert Regenerate.parse(names) == Regenerate.parse(json.dumps(names)) == expected
    for name in names:
        assert expected.forces(name)
        assert expected.forces("another name", f" {name} ")
    assert not expected.forces("\n")


@pytest.mark.parametrize("value", [1, 0, 1.5, {"train": True}, {"train"}, [1], ["train", None], object()])
def test_other_types_are_refused(value: Any) -> None:
    with pytest.raises(
        PipelineParameterError, match="'regenerate_outputs' is off, all, or a list of step names, not"
    ):
        Regenerate.parse(value)


def test_a_json_list_of_other_things_is_refused_for_them() -> None:
    with pytest.raises(PipelineParameterError, match=r"a list of step names, not \['train', 3\]"):
        Regenerate.parse('["train", 3]')


@pytest.mark.parametrize("text", ["[train]", '["train"', "['train']"])
def test_a_list_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(PipelineParameterError, match="is no JSON list"):
        Regenerate.parse(text)


@pytest.mark.parametrize("value", ["off", "all", "train", "prepare data,train", "prepare_data"])
def test_known_steps_pass(value: str) -> None:
    Regenerate.parse(value).check(["train", "prepare data ", "prepare_data"])


def test_unknown_steps_are_named_with_those_there_are() -> None:
    with pytest.raises(PipelineParameterError) as caught:
        Regenerate.parse("trian,train,b").check(["train", "prepare"])
    assert str(caught.value) == (
        "Parameter 'regenerate_outputs': there is no step 'b', 'trian'; there is prepare, train. "
        "Or say off, or all."
    )
    with pytest.raises(PipelineParameterError, match="no step 'train'; there is none"):
        Regenerate.parse("train").check([])

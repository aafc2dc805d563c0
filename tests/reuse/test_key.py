"""The reuse key: everything in it counts, how it was put together does not, and no release changes it."""

from __future__ import annotations

import json
import math
import pickle
import struct
from collections import OrderedDict
from dataclasses import fields, replace
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlsteps.exceptions import UserErrorException
from mlsteps.reuse.canonical import encode
from mlsteps.reuse.key import KEY_FORMAT, InputKey, Key, hidden

GOLDEN = Path(__file__).parent / "golden_keys.json"

TEXTS = st.text(st.characters(), max_size=6)  # lone surrogates, too: names of files need not be UTF-8
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
HIDDEN = st.binary(min_size=32, max_size=32).map(lambda data: f"pbkdf2:{data.hex()}")
INPUTS = st.builds(
    InputKey, TEXTS, st.just("file"), st.sampled_from(["", ".csv", ".csv.gz"]), st.none() | TEXTS
) | st.builds(InputKey, TEXTS, st.just("directory"), st.just(""), st.none() | TEXTS)
PARTS: dict[str, st.SearchStrategy[Any]] = {
    "kind": TEXTS,
    "code": st.none() | TEXTS,
    "hash_paths": st.dictionaries(TEXTS, TEXTS, max_size=3),
    "command": st.lists(TEXTS, max_size=6).map(tuple),
    "parameters": st.dictionaries(TEXTS, SCALARS, max_size=3),
    "variables": st.dictionaries(TEXTS, HIDDEN, max_size=2),
    "inputs": st.dictionaries(TEXTS, INPUTS, max_size=2),
    "outputs": st.dictionaries(TEXTS, st.dictionaries(TEXTS, SCALARS, max_size=3), max_size=2),
    "environment": st.dictionaries(TEXTS, PLAIN, max_size=3),
    "version": st.none() | TEXTS,
    "extra": st.dictionaries(TEXTS, PLAIN, max_size=2),
}
KEYS = st.builds(Key, **PARTS)


def identity(value: Any) -> Any:
    """What a value is, told without the encoding that is tested here."""
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else struct.pack("<d", value))
    if isinstance(value, str):
        return ("str", value.encode("utf-16-le", "surrogatepass"))
    if isinstance(value, InputKey):
        return identity({f.name: getattr(value, f.name) for f in fields(value)})
    if isinstance(value, dict):
        return ("dict", frozenset((identity(key), identity(item)) for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return ("list", tuple(identity(item) for item in value))
    return (type(value).__name__, value)


def upside_down(value: Any) -> Any:
    """The same value with every mapping's items in the other order."""
    if isinstance(value, dict):
        return {key: upside_down(item) for key, item in reversed(value.items())}
    return [upside_down(item) for item in value] if isinstance(value, list) else value


def example() -> Key:
    return Key(
        kind="PythonScriptStep",
        code="sha256t:" + "1" * 64,
        hash_paths={"lib/a.py": "sha256c:" + "2" * 64},
        command=("python", "train.py", "--lr", "0.1", "--data", "$AZUREML_DATAREFERENCE_data"),
        parameters={"lr": 0.1},
        variables={"TOKEN": hidden("TOKEN", "secret")},
        inputs={"data": InputKey("sha256c:" + "3" * 64, "file", ".csv", None)},
        outputs={
            "model": {"type": "PipelineData", "datastore": "blob", "mode": "mount", "is_directory": False}
        },
        environment={"kind": "virtual environment", "python": "3.11", "requirements": ["pandas==2.1.0"]},
        version="1",
        extra={"more": [1, {"a": None}]},
    )


# What counts


@given(st.data())
def test_every_change_counts(data: st.DataObject) -> None:
    key = data.draw(KEYS)
    name = data.draw(st.sampled_from(sorted(PARTS)))
    value = data.draw(PARTS[name])
    changed = replace(key, **{name: value})
    same = identity(getattr(changed, name)) == identity(getattr(key, name))
    assert (changed.fingerprint == key.fingerprint) is same
    assert (changed == key) is same


@given(KEYS, KEYS)
def test_two_keys_have_one_fingerprint_only_if_they_are_alike(one: Key, other: Key) -> None:
    alike = all(identity(getattr(one, name)) == identity(getattr(other, name)) for name in PARTS)
    assert (one.fingerprint == other.fingerprint) is alike


@given(KEYS)
def test_order_of_mappings_does_not_count(key: Key) -> None:
    turned = {name: upside_down(getattr(key, name)) for name in PARTS if name != "command"}
    assert replace(key, **turned).fingerprint == key.fingerprint


@given(KEYS)
def test_parts_are_told_apart(key: Key) -> None:
    assume(key.hash_paths)
    moved = replace(key, hash_paths={}, parameters={**key.parameters, **key.hash_paths})
    assert moved.fingerprint != key.fingerprint


@pytest.mark.parametrize(
    "values",
    [
        (1, 1.0, True, "1", "True", "1.0"),
        (0, 0.0, -0.0, False, None, "", "0", "None"),
        (math.nan, math.inf, -math.inf, "NaN", "nan", "Infinity"),
        (10**20, 1e20, "100000000000000000000"),
        ("é", "e\u0301", "\\u00e9"),
        ("\ud800", "\udc00", "?", "\ufffd", "\\ud800"),
        (2**53, 2**53 + 1, float(2**53)),
    ],
)
def test_values_that_look_alike_are_different(values: tuple[Any, ...]) -> None:
    made = {Key(kind="x", parameters={"p": value}).fingerprint for value in values}
    assert len(made) == len(values)


def test_what_stands_for_other_numbers_is_not_mistaken_for_one() -> None:
    values: list[Any] = [math.nan, {"$float": "nan"}, {"$$float": "nan"}, ["$float", "nan"]]
    keys = [Key(kind="x", extra={"v": value}) for value in values]
    assert len({key.fingerprint for key in keys}) == len(values)
    assert [Key.from_plain(key.to_plain()) for key in keys] == keys


def test_words_are_not_run_together() -> None:
    commands = [("a", "b"), ("ab",), ("a b",), ("a", "", "b"), ("a", "b", "")]
    assert len({Key(kind="x", command=command).fingerprint for command in commands}) == len(commands)


def test_there_is_no_place_for_what_does_not_count() -> None:
    assert {f.name for f in fields(Key)} == {"format", *PARTS}
    for name in ("name", "dag_id", "run_id", "compute_target", "tags"):
        with pytest.raises(TypeError):
            Key(kind="x", **{name: "x"})


# How it is made


def test_a_key_is_a_copy() -> None:
    packages = {"pandas": "2.1"}
    environment: dict[str, Any] = {"packages": packages}
    key = Key(kind="x", environment=environment)
    before = key.fingerprint
    packages["pandas"] = "2.2"
    environment["python"] = "3.12"
    assert replace(key).fingerprint == before


def test_subclasses_count_as_what_they_are() -> None:
    class Kind(str, Enum):
        CONTAINER = "container image"

    class Number(float):
        def __repr__(self) -> str:
            return f"Number({float(self)})"

    odd = Key(
        kind="x",
        parameters=MappingProxyType({"p": Number(0.5)}),
        environment=OrderedDict(kind=Kind.CONTAINER, list=("a",)),
    )
    even = Key(kind="x", parameters={"p": 0.5}, environment={"kind": "container image", "list": ["a"]})
    assert odd == even
    assert json.dumps(odd.to_plain()) == json.dumps(even.to_plain())


def test_two_surrogates_are_the_character_that_json_makes_of_them() -> None:
    assert Key(kind="x", version="\ud83d\ude00") == Key(kind="x", version="😀")


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": None},
        {"format": "1"},
        {"code": b"x"},
        {"version": 2},
        {"command": "python train.py"},
        {"command": ("python", 1)},
        {"hash_paths": {"a": None}},
        {"hash_paths": ["a"]},
        {"parameters": {"p": [1]}},
        {"parameters": {1: "p"}},
        {"inputs": {"data": {"digest": "x"}}},
        {"outputs": {"model": "x"}},
        {"outputs": {"model": {"globs": ["*"]}}},
        {"environment": {"packages": {"a", "b"}}},
        {"extra": {"when": object()}},
    ],
)
def test_what_cannot_be_part_of_a_key_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserErrorException, match="reuse key"):
        Key(**{"kind": "x", **wrong})


def test_what_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(UserErrorException, match="holds itself"):
        Key(kind="x", extra={"loop": loop})


@pytest.mark.parametrize(
    "wrong",
    [("d", "folder"), ("d", "directory", ".csv"), ("d", "file", "csv"), (None, "file"), ("d", "file", "", 1)],
)
def test_inputs_that_cannot_be_are_refused(wrong: tuple[Any, ...]) -> None:
    with pytest.raises(UserErrorException, match="reuse key's input"):
        InputKey(*wrong)


def test_keys_can_be_sent_and_collected() -> None:
    key = example()
    assert pickle.loads(pickle.dumps(key)) == key
    assert len({key, replace(key), replace(key, version="2")}) == 2
    assert key != "key"


# Environment variables


def test_variables_are_hidden() -> None:
    made = hidden("TOKEN", "secret")
    assert made == "pbkdf2:6d27b468bbed934d7c319a9c61ba7cdde7c054b93b539aee6049ef27ed921d20"
    assert made != hidden("OTHER", "secret")
    assert made != hidden("TOKEN", "secreT")
    assert hidden("N", "\udcff") != hidden("N", "?")
    assert "secret" not in json.dumps(Key(kind="x", variables={"TOKEN": made}).to_plain())


@pytest.mark.parametrize("value", ["secret", "", "pbkdf2:secret", None, 1])
def test_variables_that_are_not_hidden_are_refused(value: Any) -> None:
    with pytest.raises(UserErrorException, match="'TOKEN' has to be hidden") as caught:
        Key(kind="x", variables={"TOKEN": value})
    assert "secret" not in str(caught.value)


# Writing and reading


@given(KEYS)
def test_a_key_survives_json(key: Key) -> None:
    plain = key.to_plain()
    for text in (
        json.dumps(plain, allow_nan=False),
        json.dumps(plain, allow_nan=False, indent=1, sort_keys=True),
    ):
        read = Key.from_plain(json.loads(text))
        assert read == key
        assert encode(read.to_plain()) == encode(plain)


def test_a_key_is_strict_and_readable_json() -> None:
    plain = example().to_plain()
    assert plain["format"] == KEY_FORMAT
    assert plain["command"][2:4] == ["--lr", "0.1"]
    assert plain["inputs"]["data"]["suffix"] == ".csv"
    odd = Key(kind="x", parameters={"nan": math.nan}).to_plain()
    assert json.loads(json.dumps(odd), parse_constant=pytest.fail)["parameters"] == {"nan": {"$float": "nan"}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": KEY_FORMAT + 1}, "format 2 cannot be read"),
        ({"format": True}, "format True cannot be read"),
        ({"format": None}, "format None"),
        ({"color": "red"}, "color"),
        ({"inputs": {"data": {"digest": "x"}}}, "not readable"),
        ({"inputs": {"data": 1}}, "not readable"),
        ({"inputs": []}, "mapping"),
        ({"variables": {"TOKEN": "secret"}}, "hidden"),
        ({"parameters": {"p": {"$float": "much"}}}, "not readable"),
        ({"version": object()}, "not readable"),
        ({"command": None}, "command"),
        ({"command": 3}, "command"),
    ],
)
def test_what_is_no_key_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserErrorException, match=said):
        Key.from_plain({**example().to_plain(), **change})


@pytest.mark.parametrize("value", [None, [], "key", {}, {"format": 1}])
def test_what_is_nothing_like_a_key_is_refused(value: Any) -> None:
    with pytest.raises(UserErrorException):
        Key.from_plain(value)


# Golden keys


def golden_keys() -> dict[str, Key]:
    """Keys whose fingerprints stand in the golden file."""
    full = example()
    worker = {
        "kind": "worker's interpreter",
        "python": "3.11",
        "packages": {"pandas": "2.1.0", "numpy": "1.26"},
    }
    return {
        "least": Key(kind="PythonScriptStep"),
        "full": full,
        "no code": replace(full, code=None),
        "worker": replace(full, environment=worker),
        "container": replace(
            full, environment={"kind": "container image", "image": "python@sha256:1", "spec": None}
        ),
        "folder as input": replace(full, inputs={"data": InputKey("sha256t:1", "directory", "", "/data")}),
        "two inputs": replace(
            full, inputs={"b": InputKey("1", "file"), "a": InputKey("2", "file", ".csv.gz")}
        ),
        "numbers": replace(
            full,
            parameters={"a": 1, "b": 1.0, "c": True, "d": "1", "e": -0.0, "f": 1e-07, "g": 10**30, "h": 0.1},
        ),
        "other numbers": replace(full, parameters={"a": math.nan, "b": math.inf, "c": -math.inf, "d": None}),
        "characters": replace(full, command=("python", "ü😀\u2028", "\udcff", '"\\/\n\x00\x7f', "e\u0301")),
        "dollars": replace(full, extra={"$float": "nan", "$": {"$$x": [[], {}]}}, hash_paths={"$HOME": "1"}),
        "operator": Key(kind="BashOperator", extra={"bash_command": "echo", "env": {"B": 2, "A": [1.5]}}),
        "another format": replace(full, format=2),
    }


def test_golden_fingerprints_do_not_change() -> None:
    golden = json.loads(GOLDEN.read_text("utf-8"))
    made = golden_keys()
    assert golden.keys() == made.keys()
    for name, known in golden.items():
        key = made[name]
        assert key.fingerprint == known["fingerprint"], (
            f"The fingerprint of the golden key {name!r} changed: earlier results would not be found any "
            f"more, or wrong ones would. If that is meant, the format number (KEY_FORMAT) has to go up; then "
            f"write {GOLDEN.name} anew by running this file."
        )
        if key.format == KEY_FORMAT:
            assert Key.from_plain(known["key"]).fingerprint == known["fingerprint"], name


if __name__ == "__main__":
    content = {
        name: {"fingerprint": key.fingerprint, "key": key.to_plain()} for name, key in golden_keys().items()
    }
    GOLDEN.write_text(json.dumps(content, indent=1) + "\n", "utf-8")

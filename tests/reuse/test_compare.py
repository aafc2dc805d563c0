"""Comparing keys: what changed is told by its name, once, and never more than may be shown."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.exceptions import UserErrorException
from mlsteps.reuse.compare import Change, compare, distance
from mlsteps.reuse.key import InputKey, Key, hidden

PYTHON = ("python", "train.py")
CODE_1, CODE_2 = "sha256t:" + "1" * 64, "sha256t:" + "2" * 64
DATA_1, DATA_2 = "sha256t:" + "3" * 64, "sha256t:" + "4" * 64


def unknown(digest: str) -> None:
    return None


def key(**parts: Any) -> Key:
    return Key(**{"kind": "PythonScriptStep", "code": CODE_1, **parts})


def words(before: Key, after: Key, files: Mapping[str, Mapping[str, str]] | None = None) -> list[str]:
    changes = compare(before, after, (files or {}).get)
    for change in changes:
        plain = change.to_plain()
        assert Change.from_plain(json.loads(json.dumps(plain))).to_plain() == plain
    return [change.in_words() for change in changes]


def told(part: str, before: Any, after: Any) -> list[str]:
    return words(key(**{part: before}), key(**{part: after}))


def arguments(before: str, after: str) -> list[str]:
    return words(key(command=(*PYTHON, *before.split())), key(command=(*PYTHON, *after.split())))


# Nothing is left out, nothing invented

NAMES = st.sampled_from(
    ["a", "b", "python", "packages", "requirements", "kind", "a: b", "x.suffix", "", "\ud800"]
)
WORDS = st.sampled_from(
    ["a", "b", "--a", "--b", "--a=1", "-a", "--", "-", "-1", "", " ", "'", "python", "-m", "a b"]
)
SCALARS = st.sampled_from([None, 1, 1.0, True, "1", "", "a", math.nan, -0.0, 0])
LINES = st.lists(
    st.sampled_from(
        ["a", "a==1", "a===1", "A == 1", "a>=1", "b[x]==1", "git+https://h/r", "-e .", "", "a_b", "a-b"]
    )
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(NAMES, SCALARS, max_size=3), LINES)
INPUTS = st.builds(
    InputKey,
    st.sampled_from("123"),
    st.just("file"),
    st.sampled_from(["", ".csv"]),
    st.sampled_from([None, "/d"]),
) | st.builds(InputKey, st.sampled_from("123"), st.just("directory"))
KEYS = st.builds(
    Key,
    format=st.sampled_from([1, 1, 1, 2]),
    kind=st.sampled_from(["x", "y"]),
    code=st.sampled_from([None, "1", "2", "3"]),
    hash_paths=st.dictionaries(NAMES, st.sampled_from("12"), max_size=2),
    command=st.lists(WORDS, max_size=5).map(tuple),
    parameters=st.dictionaries(NAMES, SCALARS, max_size=2),
    variables=st.dictionaries(NAMES, st.sampled_from("12").map(lambda c: "pbkdf2:" + c * 64), max_size=2),
    inputs=st.dictionaries(NAMES, INPUTS, max_size=2),
    outputs=st.dictionaries(NAMES, st.dictionaries(NAMES, SCALARS, max_size=2), max_size=2),
    environment=st.dictionaries(NAMES, VALUES, max_size=3),
    version=st.sampled_from([None, "1", "2"]),
    extra=st.dictionaries(NAMES, VALUES, max_size=2),
)
LISTINGS = st.dictionaries(
    st.sampled_from("123"), st.dictionaries(NAMES, st.sampled_from(["sha256c:1", "sha256c:2"]), max_size=3)
)
PARTS = ["code", "command", "parameters", "variables", "inputs", "outputs", "environment", "version", "extra"]


@given(KEYS, KEYS, LISTINGS)
def test_changes_are_empty_only_for_equal_keys(
    before: Key, after: Key, listings: dict[str, dict[str, str]]
) -> None:
    changes = compare(before, after, listings.get)
    assert (not changes) is (before.fingerprint == after.fingerprint)
    assert compare(before, replace(before), listings.get) == ()
    assert (distance(changes) > 0) is bool(changes)
    for change in changes:
        said = change.in_words()
        assert said and said.isprintable()
        assert "pbkdf2" not in said and "sha256" not in said and "1111" not in said
        assert Change.from_plain(json.loads(json.dumps(change.to_plain()))).in_words() == said


@given(KEYS, KEYS, st.sampled_from(PARTS), LISTINGS)
def test_a_change_of_one_part_is_told(
    before: Key, other: Key, part: str, listings: dict[str, dict[str, str]]
) -> None:
    after = replace(before, **{part: getattr(other, part)})
    changes = compare(before, after, listings.get)
    assert (not changes) is (before.fingerprint == after.fingerprint)


@given(KEYS, KEYS, LISTINGS)
def test_both_ways_tell_as_much(before: Key, after: Key, listings: dict[str, dict[str, str]]) -> None:
    there, back = compare(before, after, listings.get), compare(after, before, listings.get)
    parts = {change.part for change in there} - {"command", "argument"}
    assert parts == {change.part for change in back} - {"command", "argument"}


# Code


def test_files_of_the_source_directory_are_named() -> None:
    files = {
        CODE_1: {"prepare.py": "1", "old.py": "2", "same.py": "3"},
        CODE_2: {"prepare.py": "9", "util.py": "2", "same.py": "3"},
    }
    assert words(key(), key(code=CODE_2), files) == ["- old.py", "prepare.py changed", "+ util.py"]


@pytest.mark.parametrize(
    "known", [{}, {CODE_1: {"a.py": "1"}}, {CODE_1: {"a.py": "1"}, CODE_2: {"a.py": "1"}}]
)
def test_without_files_the_source_directory_is_told(known: dict[str, dict[str, str]]) -> None:
    assert words(key(), key(code=CODE_2), known) == ["source directory changed"]


def test_a_source_directory_that_comes_or_goes() -> None:
    assert told("code", None, CODE_1) == ["source directory added"]
    assert told("code", CODE_1, None) == ["source directory removed"]


@pytest.mark.parametrize(
    ("number", "last"), [(20, "f19 changed"), (21, "1 more file changed"), (50, "30 more files changed")]
)
def test_very_many_files_are_counted(number: int, last: str) -> None:
    files = {code: {f"f{i:02}": code for i in range(number)} for code in (CODE_1, CODE_2)}
    changes = compare(key(), key(code=CODE_2), files.get)
    assert len(changes) == min(number, 21)
    assert changes[-1].in_words() == last
    assert distance(changes) == number


def test_hash_paths_are_told_like_files() -> None:
    assert told("hash_paths", {"a.py": "1", "b": "1"}, {"a.py": "2", "c": "1"}) == [
        "a.py changed",
        "- b",
        "+ c",
    ]


# Command and arguments


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("--lr 0.1", "--lr 0.2", ["--lr 0.1 -> 0.2"]),
        ("--lr=0.1", "--lr=0.2", ["--lr 0.1 -> 0.2"]),
        ("--lr=0.1", "--lr 0.2", ["--lr 0.1 -> 0.2"]),
        ("--lr=0.1", "--lr 0.1", ["--lr=0.1 -> --lr 0.1"]),
        ("--shift -1", "--shift -2.5", ["--shift -1 -> -2.5"]),
        ("--layers 64 32", "--layers 64 16 8", ["--layers 64 32 -> 64 16 8"]),
        ("-n 1 --b 2", "-n 2 --b 3", ["-n 1 -> 2", "--b 2 -> 3"]),
        ("--b 2", "--lr 1 --b 2", ["--lr 1 added"]),
        ("--lr 1 --b 2", "--b 2", ["--lr 1 removed"]),
        ("--a 1", "--a 1 --verbose", ["--verbose added"]),
        ("--verbose --a 1", "--a 1", ["--verbose removed"]),
        ("--cache", "--cache yes", ["--cache without value -> yes"]),
        ("a b", "a c", ["argument 2 b -> c"]),
        ("a b", "x a b", ["argument 1 x added"]),
        ("a b c", "a c", ["argument 2 b removed"]),
        ("a --v 1 -- b", "a --v 1 --w -- c", ["--w added", "argument 6 b -> c"]),
        ("--f a --f b", "--f a --f c", ["--f b -> c"]),
        ("--f a --f b", "--f b", ["--f a removed"]),
        ("--a 1 --b 2", "--b 2 --a 1", ["order of arguments changed"]),
        ("--a 1 --b 2", "--b 3 --a 1", ["--b 2 -> 3", "order of arguments changed"]),
        ("--a 1 --b 2", "--b 3 --a 4", ["--b 2 -> 3", "--a 1 -> 4", "order of arguments changed"]),
        ("--f a --g 1 --f b", "--f b --g 1 --f c", ["--f a -> b", "--f b -> c"]),
        ("--a=", "--a=x", ["--a '' -> x"]),
        ("- x", "- y", ["argument 2 x -> y"]),
        ("--old 1", "--new 1", ["--new 1 added", "--old 1 removed"]),
    ],
)
def test_arguments(before: str, after: str, expected: list[str]) -> None:
    said = arguments(before, after)
    assert sorted(said) == sorted(expected)


def test_arguments_come_in_their_order() -> None:
    assert arguments("--z 1 --y 1 p --x 1", "--z 2 --y 1 q --x 2") == [
        "--z 1 -> 2",
        "--y 1 p -> 1 q",
        "--x 1 -> 2",
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (["python", "a.py", "x"], ["python", "b.py", "x"], ["command python a.py -> python b.py"]),
        (["python", "-m", "a"], ["python", "-m", "b"], ["command python -m a -> python -m b"]),
        (
            ["python3.11", "-u", "-W", "error", "a.py", "1"],
            ["python3.11", "-u", "-W", "error", "a.py", "2"],
            ["argument 1 1 -> 2"],
        ),
        (["cp", "a", "b"], ["mv", "a", "b"], ["command cp -> mv"]),
        (["python a.py --lr 0.1"], ["python a.py --lr 0.2"], ["--lr 0.1 -> 0.2"]),
        (["echo 'a'"], ["echo a"], ["command echo 'a' -> echo a"]),
        (["echo 'a"], ["echo a"], ["command echo 'a -> echo", "argument 1 a added"]),
        ([], ["python", "a.py"], ["command nothing -> python a.py"]),
        (["python"], ["python", "a.py"], ["command python -> python a.py"]),
    ],
)
def test_commands(before: list[str], after: list[str], expected: list[str]) -> None:
    assert words(key(command=tuple(before)), key(command=tuple(after))) == expected


# Parameters


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"seed": 7}, {"seed": 11}, ["parameter seed 7 -> 11"]),
        ({"seed": 7}, {"seed": "7"}, ['parameter seed 7 -> "7"']),
        ({"seed": 7}, {"seed": 7.0}, ["parameter seed 7 -> 7.0"]),
        ({"gpu": 1}, {"gpu": True}, ["parameter gpu 1 -> true"]),
        ({"a": math.nan}, {"a": None}, ["parameter a NaN -> none"]),
        ({}, {"seed": 7}, ["parameter seed 7 added"]),
        ({"seed": 7}, {}, ["parameter seed 7 removed"]),
        ({"text": "a\nb"}, {"text": " a"}, ["parameter text a\\nb -> ' a'"]),
    ],
)
def test_parameters(before: dict[str, Any], after: dict[str, Any], expected: list[str]) -> None:
    assert told("parameters", before, after) == expected


def with_parameters(arguments: str, **parameters: Any) -> Key:
    return key(command=(*PYTHON, *arguments.split()), parameters=parameters)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            with_parameters("--lr 0.1", lr=0.1),
            with_parameters("--lr 0.2", lr=0.2),
            ["parameter lr 0.1 -> 0.2"],
        ),
        (
            with_parameters("--random-state 1 --seed 1", seed=1),
            with_parameters("--random-state 2 --seed 2", seed=2),
            ["--random-state 1 -> 2", "parameter seed 1 -> 2"],
        ),
        (
            with_parameters("--random-state 1 x", seed=1),
            with_parameters("--random-state 2 x", seed=2),
            ["parameter seed 1 -> 2"],
        ),
        (
            with_parameters("--size 1 8", width=1, height=8),
            with_parameters("--size 2 9", width=2, height=9),
            ["parameter height 8 -> 9", "parameter width 1 -> 2"],
        ),
        (
            with_parameters("--lr 0.1", lr=0.1),
            with_parameters("--lr 0.3", lr=0.2),
            ["--lr 0.1 -> 0.3", "parameter lr 0.1 -> 0.2"],
        ),
        (
            with_parameters("--lr 0.1"),
            with_parameters("--lr 0.2", lr=0.2),
            ["--lr 0.1 -> 0.2", "parameter lr 0.2 added"],
        ),
        (
            with_parameters("a 1", seed=1),
            with_parameters("a 2", seed=2),
            ["parameter seed 1 -> 2"],
        ),
    ],
)
def test_an_argument_that_a_parameter_changed_is_told_once(
    before: Key, after: Key, expected: list[str]
) -> None:
    assert words(before, after) == expected


# Data


def test_files_of_an_input_are_named() -> None:
    files = {DATA_1: {"train.csv": "1", "old.csv": "1"}, DATA_2: {"train.csv": "2", "model.kind": "1"}}
    before, after = ({"data": InputKey(digest, "directory")} for digest in (DATA_1, DATA_2))
    assert words(key(inputs=before), key(inputs=after), files) == [
        "input data: + model.kind",
        "input data: - old.csv",
        "input data: train.csv changed",
    ]
    assert words(key(inputs=before), key(inputs=after)) == ["input data changed"]


def test_a_single_file_has_no_name() -> None:
    before, after = ({"data": InputKey(digest, "file", ".csv")} for digest in (DATA_1, DATA_2))
    files = {DATA_1: {"": DATA_1}, DATA_2: {"": DATA_2}}
    assert words(key(inputs=before), key(inputs=after), files) == ["input data changed"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            InputKey(DATA_1, "file", ".csv"),
            InputKey(DATA_1, "file", ".tsv"),
            ["input data.suffix .csv -> .tsv"],
        ),
        (
            InputKey(DATA_1, "file", ".csv"),
            InputKey(DATA_2, "directory"),
            ["input data.kind file -> directory"],
        ),
        (
            InputKey(DATA_1, "file"),
            InputKey(DATA_2, "file", path_on_compute="/data"),
            ["input data changed", "input data.path_on_compute /data added"],
        ),
    ],
)
def test_what_a_script_sees_of_an_input(before: InputKey, after: InputKey, expected: list[str]) -> None:
    assert told("inputs", {"data": before}, {"data": after}) == expected


def test_ports_that_come_and_go() -> None:
    data = InputKey(DATA_1, "file")
    assert told("inputs", {"old": data}, {"new": data}) == ["input new added", "input old removed"]
    assert told("outputs", {"old": {}}, {"new": {"mode": "mount"}}) == [
        "output new added",
        "output old removed",
    ]


def test_declared_outputs() -> None:
    before = {"model": {"datastore": "blob", "mode": "mount", "globs": None}}
    after = {"model": {"datastore": "files", "mode": "mount", "is_directory": True}}
    assert told("outputs", before, after) == [
        "output model.datastore blob -> files",
        "output model.globs none removed",
        "output model.is_directory true added",
    ]


# Environment


def test_variables_are_told_by_name_only() -> None:
    before = {"TOKEN": hidden("TOKEN", "a"), "OLD": hidden("OLD", "x")}
    after = {"TOKEN": hidden("TOKEN", "b"), "NEW": hidden("NEW", "x")}
    changes = compare(key(variables=before), key(variables=after), unknown)
    assert [change.in_words() for change in changes] == [
        "environment variable NEW added",
        "environment variable OLD removed",
        "environment variable TOKEN changed",
    ]
    assert "pbkdf2" not in json.dumps([change.to_plain() for change in changes])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            {"packages": {"pandas": "2.1.0"}},
            {"packages": {"pandas": "2.2.0"}},
            ["package pandas 2.1.0 -> 2.2.0"],
        ),
        ({"packages": {"a": "1"}}, {"packages": {"b": "1"}}, ["package a 1 removed", "package b 1 added"]),
        (
            {"requirements": ["scikit-learn==1.4", "old", "a"]},
            {"requirements": ["Scikit_Learn == 1.5", "new>=2", "a<3"]},
            [
                "package a any version -> <3",
                "package new >=2 added",
                "package old removed",
                "package scikit-learn 1.4 -> 1.5",
            ],
        ),
        (
            {"requirements": ["a[x]==1; python_version<'3.9'", "git+https://h/r@1"]},
            {"requirements": ["a[y]==1", "git+https://h/r@2"]},
            [
                "package a [x]==1; python_version<'3.9' -> [y]==1",
                "package git+https://h/r@1 removed",
                "package git+https://h/r@2 added",
            ],
        ),
        (
            {"requirements": ["a", "b"]},
            {"requirements": ["b", "a"]},
            ["environment requirements a, b -> b, a"],
        ),
        ({"requirements": ["a"]}, {"requirements": "a"}, ['environment requirements ["a"] -> "a"']),
        ({"python": "3.10"}, {"python": "3.11"}, ["environment python 3.10 -> 3.11"]),
        ({"options": []}, {"options": ["--pre"]}, ["environment options nothing -> --pre"]),
        (
            {"kind": "virtual environment", "python": "3.10", "requirements": ["a"]},
            {"kind": "container image", "image": "x"},
            ["environment virtual environment -> container image", "environment python 3.10 removed"],
        ),
        ({}, {"packages": {}}, ["environment packages {} added"]),
    ],
)
def test_environments(before: dict[str, Any], after: dict[str, Any], expected: list[str]) -> None:
    assert told("environment", before, after) == expected


# The rest


def test_the_rest_of_a_key() -> None:
    assert told("version", "1", "2") == ["version 1 -> 2"]
    assert told("version", None, "2") == ["version 2 added"]
    assert told("kind", "PythonScriptStep", "CommandStep") == ["step type PythonScriptStep -> CommandStep"]
    assert told("format", 1, 2) == ["format of the reuse key 1 -> 2"]
    assert told("extra", {"sql": "select 1"}, {"sql": "select 2"}) == ["sql select 1 -> select 2"]
    assert told("extra", {"a": {"b": 1}}, {"a": {"b": [2]}}) == ['a {"b": 1} -> {"b": [2]}']


def test_changes_come_in_one_order() -> None:
    before = key(
        command=(*PYTHON, "--a", "1"),
        parameters={"p": 5},
        inputs={"data": InputKey(DATA_1, "file")},
        outputs={"model": {"mode": "mount"}},
        environment={"python": "3.10", "packages": {"pandas": "1"}},
        version="1",
    )
    after = key(
        code=CODE_2,
        hash_paths={"x": "1"},
        command=("python", "fit.py", "--a", "2"),
        parameters={"p": 6},
        variables={"V": hidden("V", "")},
        inputs={"data": InputKey(DATA_2, "file")},
        outputs={"model": {"mode": "upload"}},
        environment={"python": "3.11", "packages": {"pandas": "2"}},
        version="2",
        extra={"e": 1},
        kind="x",
        format=2,
    )
    parts = [change.part for change in compare(before, after, unknown)]
    assert parts == [
        *["code", "hash_paths", "command", "argument", "parameter", "input", "output", "variable"],
        *["environment", "package", "version", "extra", "kind", "format"],
    ]


def test_long_values_are_cut_where_they_differ() -> None:
    before, after = (f"{'select ' * 30}{number} {'from x ' * 30}" for number in (1, 2))
    (said,) = told("extra", {"sql": before}, {"sql": after})
    old, new = said.removeprefix("sql ").split(" -> ")
    assert len(old) == len(new) == 60
    assert old.startswith("…") and old.endswith("…")
    assert "select 1" in old and "select 2" in new
    (added,) = told("extra", {}, {"sql": before})
    assert len(added) < 80


def test_long_paths_keep_their_end() -> None:
    files = {CODE_1: {}, CODE_2: {f"{'folder/' * 20}train.py": "1"}}
    (said,) = words(key(), key(code=CODE_2), files)
    assert said.startswith("+ …") and said.endswith("folder/train.py") and len(said) == 62


def test_values_stay_on_one_line() -> None:
    (said,) = told("parameters", {"a\nb": "x"}, {"a\nb": "y\r\u2028\u202e\udcff"})
    assert said == "parameter a\\nb x -> y\\r\\u2028\\u202e\\udcff"


def test_the_nearest_result_has_the_smallest_distance() -> None:
    now = key(command=(*PYTHON, "--lr", "0.3"), version="2")
    near, far = (
        key(command=(*PYTHON, "--lr", "0.2"), version="2"),
        key(command=(*PYTHON, "--lr", "0.3", "--x")),
    )
    other = replace(now, kind="CommandStep")
    assert (
        distance(compare(now, now, unknown))
        < distance(compare(near, now, unknown))
        < distance(compare(far, now, unknown))
        < distance(compare(other, now, unknown))
    )


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {},
        {"part": "code"},
        {"part": "weather", "name": "x", "before": None, "after": None, "action": "changed"},
        {"part": "code", "name": "x", "before": None, "after": None, "action": "moved"},
        {"part": "code", "name": None, "before": None, "after": None, "action": "added"},
        {"part": ["code"], "name": "x", "before": None, "after": None, "action": "added"},
        {"part": "code", "name": "x", "before": None, "after": None, "action": "added", "more": 1},
    ],
)
def test_what_is_no_change_is_refused(wrong: Any) -> None:
    with pytest.raises(UserErrorException, match="change"):
        Change.from_plain(wrong)

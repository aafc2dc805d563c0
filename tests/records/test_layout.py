"""Names as parts of paths: never two alike, and nothing that a file system or a URL would change."""

from __future__ import annotations

import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.records import layout

names = st.one_of(
    st.text(max_size=300),
    st.text("ab.-/ :+~=_é", max_size=12),
    st.sampled_from(["", ".", "..", "a.", "-", "~", "con", "a" * 120, "a" * 121, "a" * 500]),
)


@given(names)
def test_a_part_is_safe_everywhere(name: str) -> None:
    part = layout.path_part(name)
    assert 0 < len(part.encode()) <= 120
    assert part not in (".", "..") and not part.endswith(".")
    assert urllib.parse.quote(part, safe="=~") == part


@given(st.sets(names, max_size=30))
def test_distinct_names_have_distinct_parts(given_names: set[str]) -> None:
    assert len({layout.path_part(name) for name in given_names}) == len(given_names)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._=-]{0,100}[A-Za-z0-9]", fullmatch=True))
def test_a_plain_name_stays(name: str) -> None:
    assert layout.path_part(name) == name


@given(names)
def test_a_part_of_a_part_is_not_the_part(name: str) -> None:
    part = layout.path_part(name)
    assert part == name or layout.path_part(part) != part


def test_an_altered_name_can_still_be_read() -> None:
    part = layout.path_part("manual__2026-01-31T12:34:56.789+00:00")
    assert part.startswith("manual__2026-01-31T12-34-56.789-00-00~")


ids = st.text("ab.-/=:", min_size=1, max_size=5)
tries = st.tuples(ids, ids, st.text("ab.-", min_size=1, max_size=4), st.integers(-1, 2), st.integers(1, 3))


@given(st.sets(tries, max_size=40))
def test_every_try_has_an_id_of_its_own(given_tries: set[tuple[str, str, str, int, int]]) -> None:
    made = {layout.step_run_id(*each) for each in given_tries}
    assert len(made) == len(given_tries)
    assert not any("/" in each for each in made)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("etl", "daily.1", "t", -1, 1), ("etl.daily", "1", "t", -1, 1)),
        (("d", "r", "t.1", -1, 1), ("d", "r", "t", 1, 1)),
        (("d", "r", "t", 1, 1), ("d", "r", "t", -1, 1)),
    ],
)
def test_dots_in_names_do_not_make_two_tries_one(one: tuple, other: tuple) -> None:  # type: ignore[type-arg]
    assert layout.step_run_id(*one) != layout.step_run_id(*other)
    assert layout.try_folder(*one) != layout.try_folder(*other)


def test_a_plain_id_is_readable() -> None:
    assert layout.step_run_id("train", "r1", "group.fit", -1, 2) == "train.r1.group.fit.2"
    assert layout.step_run_id("train", "r1", "fit", 3, 1) == "train.r1.fit=3.1"
    scheduled = layout.step_run_id("train", "scheduled__2026-01-31T00:00:00+00:00", "fit", -1, 1)
    assert scheduled.startswith("train.scheduled__2026-01-31T00-00-00-00-00.fit.1~")


@given(
    st.text(min_size=1, max_size=250), st.text(min_size=1, max_size=250), st.text(min_size=1, max_size=250)
)
def test_an_id_is_a_file_name_however_long_the_names(dag_id: str, run_id: str, task_id: str) -> None:
    assert len(layout.step_run_id(dag_id, run_id, task_id, 12, 34).encode()) <= 200


def test_folders() -> None:
    assert layout.run_folder("d", "r") == "mlsteps/runs/d/r"
    assert layout.step_folder("d", "r", "t") == "mlsteps/runs/d/r/steps/t"
    assert layout.try_folder("d", "r", "t", 0, 2) == "mlsteps/runs/d/r/steps/t=0/try-2"

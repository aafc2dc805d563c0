"""Paths on a store have one spelling and never lead out of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.data.stores.base import clean_path, exact_path
from mlsteps.exceptions import UserErrorException

paths = st.lists(st.sampled_from(["a", "b c", "ü", "..", ".", "", "/", "\\", "..."]), max_size=6).map(
    "/".join
)


@given(paths)
def test_a_clean_path_is_relative_and_stays_below_the_root(path: str) -> None:
    try:
        cleaned = clean_path(path)
    except UserErrorException:
        assert ".." in path
        return
    assert not cleaned.startswith("/")
    assert not {"..", ".", ""} & set(cleaned.split("/")) or cleaned == ""
    assert clean_path(cleaned) == cleaned


@pytest.mark.parametrize("path", ["..", "a/../b", "a\\..\\b", "../a", "a/.."])
def test_a_path_that_leaves_the_store_is_refused(path: str) -> None:
    with pytest.raises(UserErrorException, match="leaves the datastore"):
        clean_path(path)


def test_what_a_user_writes_may_have_backslashes_but_a_listed_path_is_exact() -> None:
    assert clean_path("data\\raw\\x.csv") == "data/raw/x.csv"
    assert exact_path("data/a\\b.csv") == "data/a\\b.csv"


@pytest.mark.parametrize("path", [None, 3, b"a", ("a",)])
def test_something_else_than_text_is_refused_by_name(path: object) -> None:
    with pytest.raises(UserErrorException, match="destination must be a text"):
        clean_path(path, "destination")  # type: ignore[arg-type]


def test_a_null_character_is_refused() -> None:
    with pytest.raises(UserErrorException, match="null character"):
        clean_path("a\0b")

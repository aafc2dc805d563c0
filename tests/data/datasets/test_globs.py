"""Patterns, held against a plain reading of what they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.data.datasets.globs import compile_glob, fixed_prefix, is_glob


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("a/*.csv", "a/x.csv", True),
        ("a/*.csv", "a/b/x.csv", False),
        ("a/**", "a/b/x.csv", True),
        ("a/**", "a", False),
        ("a/**", "ab/x", False),
        ("a/", "a/x", True),
        ("a/**/*.csv", "a/x.csv", True),
        ("a/**/*.csv", "a/b/c/x.csv", True),
        ("**/*.csv", "x.csv", True),
        ("a/**.csv", "a/b/x.csv", True),
        ("a/?.csv", "a/x.csv", True),
        ("a/?.csv", "a/xy.csv", False),
        ("a/[x].csv", "a/[x].csv", True),
        ("a/[x].csv", "a/x.csv", False),
        ("a/*/c", "a/b/c", True),
        ("a.*", "aXb", False),
        ("a/*", "a/line\nbreak", True),
    ],
)
def test_what_a_pattern_matches(pattern: str, path: str, matches: bool) -> None:
    assert (compile_glob(pattern).fullmatch(path) is not None) == matches


@pytest.mark.parametrize(
    ("pattern", "prefix"), [("a/b/*.csv", "a/b"), ("*.csv", ""), ("a/b*/c", "a"), ("**", ""), ("a/?", "a")]
)
def test_the_part_without_wildcards(pattern: str, prefix: str) -> None:
    assert fixed_prefix(pattern) == prefix


def matches(pattern: list[str], path: list[str]) -> bool:
    """What parts of a pattern mean, told by recursion."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        if len(pattern) == 1:
            return len(path) > 0
        return matches(pattern[1:], path) or (len(path) > 1 and matches(pattern, path[1:]))
    return bool(path) and part_matches(pattern[0], path[0]) and matches(pattern[1:], path[1:])


def part_matches(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return part_matches(pattern[1:], name) or (bool(name) and part_matches(pattern, name[1:]))
    return bool(name) and pattern[0] in ("?", name[0]) and part_matches(pattern[1:], name[1:])


pattern_parts = st.just("**") | st.text("ab.?*", min_size=1, max_size=3).filter(lambda part: "**" not in part)


@given(
    st.lists(pattern_parts, min_size=1, max_size=4),
    st.lists(st.text("ab.", min_size=1, max_size=3), min_size=1, max_size=4),
)
def test_patterns_match_as_the_reference_says(pattern: list[str], path: list[str]) -> None:
    found = compile_glob("/".join(pattern)).fullmatch("/".join(path)) is not None
    assert found == matches(pattern, path)


@given(
    st.lists(pattern_parts, min_size=1, max_size=4).filter(lambda parts: is_glob("/".join(parts))),
    st.lists(st.text("ab.", min_size=1, max_size=3), min_size=1, max_size=4),
)
def test_all_that_matches_lies_in_the_fixed_part(pattern: list[str], path: list[str]) -> None:
    joined = "/".join(path)
    if compile_glob("/".join(pattern)).fullmatch(joined):
        prefix = fixed_prefix("/".join(pattern))
        assert joined.startswith(f"{prefix}/" if prefix else "")

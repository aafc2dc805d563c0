"""Replacing tokens in arguments."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlsteps.compute.tokens import substitute

texts = st.text("$AB_ .*\\", max_size=12)


@given(texts, st.dictionaries(texts, texts, max_size=4))
def test_it_is_one_pass_from_left_to_right_and_takes_the_longest(text: str, values: dict[str, str]) -> None:
    expected, at = [], 0
    while at < len(text):
        token = max((t for t in values if t and text.startswith(t, at)), key=len, default=None)
        expected.append(text[at] if token is None else values[token])
        at += 1 if token is None else len(token)
    assert substitute(text, values) == "".join(expected)


@given(st.text(), st.dictionaries(st.text(min_size=1), st.text()))
def test_a_text_without_a_token_stays(text: str, values: dict[str, str]) -> None:
    if not any(token in text for token in values):
        assert substitute(text, values) == text


def test_a_value_that_looks_like_a_token_stays() -> None:
    assert substitute("$a$b", {"$a": "$b", "$b": "$a"}) == "$b$a"


def test_of_tokens_that_begin_alike_the_longer_is_meant() -> None:
    values = {"$DATA_in": "/1", "$DATA_in_2": "/2"}
    assert substitute("$DATA_in_2/x $DATA_in/y", values) == "/2/x /1/y"


def test_a_value_is_taken_literally() -> None:
    assert substitute("x", {"x": r"\1\g<0>"}) == r"\1\g<0>"
    assert substitute("a.c abc", {"a.c": "!"}) == "! abc"


def test_an_empty_token_stands_for_nothing() -> None:
    assert substitute("ab", {"": "!"}) == "ab"

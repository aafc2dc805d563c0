"""Records as bytes: strict JSON that comes back as it was, and clear errors for what is no record."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.data.stores import FolderStore
from mlsteps.records.store import RecordFormatError, dump_json, load_json, read_record

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=10,
)


class Memory:
    """One file."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, path: str) -> bytes:
        return self.data


def load(data: bytes) -> object:
    return load_json(Memory(data), "a/step.json", 1)  # type: ignore[arg-type]


@given(values)
def test_anything_comes_back_and_is_strict_json(value: object) -> None:
    data = dump_json({"version": 1, "value": value})
    assert load(data) == {"version": 1, "value": value}

    def refuse(text: str) -> None:
        raise AssertionError(text)

    json.loads(data.decode("utf-8"), parse_constant=refuse)


def test_numbers_that_json_lacks() -> None:
    data = dump_json({"version": 1, "loss": [math.nan, math.inf, -math.inf]})
    loaded = load(data)
    assert isinstance(loaded, dict)
    assert math.isnan(loaded["loss"][0]) and loaded["loss"][1:] == [math.inf, -math.inf]


def test_text_is_readable_in_the_file() -> None:
    assert "größe" in dump_json({"version": 1, "name": "größe"}).decode()


def test_nothing_there_is_none(store: FolderStore) -> None:
    assert load_json(store, "a/step.json", 1) is None
    store.write("a", b"")
    assert load_json(store, "a/step.json", 1) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"version": 1, "st',
        b"\xff\xfe\xfd",
        b"[]",
        b'"text"',
        b"{}",
        b'{"version": "1"}',
        b'{"version": null}',
    ],
)
def test_what_is_no_record_is_named(data: bytes) -> None:
    with pytest.raises(RecordFormatError, match=r"^a/step.json is not a record"):
        load(data)


def test_a_newer_record_asks_for_an_upgrade() -> None:
    with pytest.raises(
        RecordFormatError, match="a/step.json has format 2, this mlsteps reads up to 1: upgrade"
    ):
        load(b'{"version": 2}')


def test_a_record_of_another_kind_is_named(store: FolderStore) -> None:
    store.write("a/step.json", b'{"version": 1}')
    with pytest.raises(RecordFormatError, match="a/step.json is not a record of the kind .*'name'"):
        read_record(store, "a/step.json", 1, lambda value: value["name"])

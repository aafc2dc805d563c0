"""A reuse entry comes back as it was, and what is only half of one is not taken for one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.data.stores import FolderStore
from mlsteps.launcher.manifest import FileEntry, Manifest
from mlsteps.records.store import RecordFormatError
from mlsteps.reuse.entry import VERSION, EntryOutput, ReuseEntry, read_entry
from reuse.doubles import entry

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


class Memory:
    """One file."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, path: str) -> bytes:
        return self.data


def load(data: bytes) -> ReuseEntry | None:
    return read_entry(Memory(data), "x.json")  # type: ignore[arg-type]


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    value = json.loads(entry().to_bytes())
    change(value)
    return json.dumps(value).encode()


def test_it_comes_back_as_it_was() -> None:
    assert load(entry().to_bytes()) == entry()


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_any_json_comes_back_as_it_was(value: dict[str, Any]) -> None:
    made = entry(key=value, values=value, tags=value, metric_events=(value,))
    assert load(made.to_bytes()) == made


def test_only_what_it_needs() -> None:
    full = entry()
    small = ReuseEntry(full.fingerprint, {}, {}, full.origin, full.created, 0)
    assert load(small.to_bytes()) == small


def test_a_file_name_that_is_not_utf8_comes_back() -> None:
    manifest = Manifest.of("directory", (FileEntry("caf\udce9.csv", 3, f"sha256c:{1:064x}"),))
    made = entry(outputs={"data": EntryOutput({}, manifest)})
    assert load(made.to_bytes()) == made


def test_nothing_there_is_none(tmp_path: Path) -> None:
    assert read_entry(FolderStore(tmp_path), "x.json") is None


def test_a_field_of_a_later_mlsteps_with_the_same_format_is_passed_over() -> None:
    assert load(changed(lambda value: value.update(later=1))) == entry()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_half_of_one_is_none(share: float) -> None:
    data = entry().to_bytes()
    with pytest.raises(RecordFormatError, match=r"^x.json is not"):
        load(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.pop("origin"),
        lambda value: value.pop("files"),
        lambda value: value.update(fingerprint=1),
        lambda value: value.update(fingerprint="../../etc/passwd"),
        lambda value: value.update(key=[]),
        lambda value: value.update(outputs=[]),
        lambda value: value.update(outputs={"data": None}),
        lambda value: value.update(outputs={"data": {"reference": {}}}),
        lambda value: value.update(seconds="1"),
        lambda value: value.update(seconds=10**400),
        lambda value: value.update(files="abc"),
        lambda value: value.update(files=[1]),
        lambda value: value.update(metric_events=[[]]),
        lambda value: value.update(metrics=None),
        lambda value: value["origin"].update(try_number="1"),
        lambda value: value["origin"].pop("host"),
        lambda value: value["outputs"]["data"]["manifest"].update(bytes=1),
        lambda value: value["outputs"]["data"]["manifest"]["files"].pop(),
        lambda value: value["outputs"]["data"]["manifest"].update(version=2),
    ],
)
def test_what_does_not_fit_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(RecordFormatError, match=r"^x.json is not"):
        load(changed(change))


def test_brackets_without_end_are_refused() -> None:
    with pytest.raises(RecordFormatError, match=r"^x.json is not"):
        load(b"[" * 1_000_000)


def test_a_newer_one_asks_for_an_upgrade() -> None:
    with pytest.raises(RecordFormatError, match="upgrade mlsteps"):
        load(changed(lambda value: value.update(version=VERSION + 1)))


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a": {1, 2}}, b"bytes"])
def test_what_is_no_json_is_not_written(value: object) -> None:
    with pytest.raises((TypeError, AttributeError)):
        entry(values={"return_value": value}).to_bytes()

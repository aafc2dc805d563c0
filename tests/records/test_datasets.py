"""Registered datasets as records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlsteps.data.stores import FolderStore
from mlsteps.exceptions import UserErrorException
from mlsteps.records.datasets import (
    DatasetRecord,
    dataset_versions,
    list_datasets,
    read_dataset,
    register_dataset,
)
from mlsteps.records.store import RecordFormatError
from processes import at_once


def register(store: FolderStore, id: str, name: str = "x", new_version: bool = True) -> DatasetRecord:
    return register_dataset(store, name, id, {"is": id}, "2026", new_version=new_version)


def test_versions_count_up_by_definition(store: FolderStore) -> None:
    assert [register(store, id).dataset_version for id in ("a", "a", "b", "a")] == [1, 1, 2, 3]
    with pytest.raises(UserErrorException, match=r"another dataset called 'x' \(version 3\)"):
        register(store, "b", new_version=False)
    assert register(store, "a", new_version=False).dataset_version == 3


def test_ten_is_after_nine(store: FolderStore) -> None:
    for number in range(11):
        register(store, str(number))
    latest = read_dataset(store, "x")
    assert latest is not None and (latest.dataset_version, latest.id) == (11, "10")
    assert dataset_versions(store, "x") == list(range(1, 12))


def test_names_that_no_path_can_have_are_kept(store: FolderStore) -> None:
    for name in ("a/b", "a b", "..", "ü"):
        register(store, "a", name)
    assert sorted(list_datasets(store)) == sorted(["a/b", "a b", "..", "ü"])


def test_many_processes_register_distinct_versions(tmp_path: Path) -> None:
    code = f"""
store = FolderStore({str(tmp_path / "store")!r})
for i in range(5):
    made = register_dataset(store, "m", f"{{number}}-{{i}}", {{}}, "2026", new_version=True)
    print(made.dataset_version, made.id)
"""
    imports = """
from mlsteps.data.stores import FolderStore
from mlsteps.records.datasets import register_dataset
"""
    got = dict(line.split() for printed in at_once(imports, code, tmp_path) for line in printed.splitlines())
    assert sorted(map(int, got)) == list(range(1, 41))
    store = FolderStore(tmp_path / "store")
    for version, id in got.items():
        record = read_dataset(store, "m", int(version))
        assert record is not None and record.id == id


def test_many_processes_that_register_the_same_get_one_version(tmp_path: Path) -> None:
    code = f"""
store = FolderStore({str(tmp_path / "store")!r})
print(register_dataset(store, "m", "same", {{}}, "2026").dataset_version)
"""
    imports = """
from mlsteps.data.stores import FolderStore
from mlsteps.records.datasets import register_dataset
"""
    assert {printed.strip() for printed in at_once(imports, code, tmp_path)} == {"1"}


def test_fields_of_a_later_release_are_passed_over(store: FolderStore) -> None:
    record = register(store, "a")
    path = "mlsteps/registry/datasets/x/1.json"
    store.write(path, json.dumps({**json.loads(store.read(path)), "colour": "red"}).encode())
    assert read_dataset(store, "x") == record


def test_a_malformed_record_is_one_clear_error(store: FolderStore) -> None:
    store.write("mlsteps/registry/datasets/x/1.json", b'{"version": 1, "name": "x"}')
    store.write("mlsteps/registry/datasets/x/notes.txt", b"")
    with pytest.raises(RecordFormatError, match="datasets/x/1.json is not a record of the kind"):
        read_dataset(store, "x")

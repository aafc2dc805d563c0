"""Registered models and their versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlsteps.data.stores import FolderStore
from mlsteps.records import latest_versions, read_model, register_model
from mlsteps.records.store import RecordFormatError
from processes import at_once


def register(store: FolderStore, name: str = "price model", **fields: Any) -> Any:
    known = {"path": "x", "created": "2026", "run_id": "s", "dag_id": "d", "dag_run_id": "r"}
    return register_model(store, name=name, **{**known, **fields})


def test_versions_count_up_by_name(store: FolderStore) -> None:
    assert register(store).id == "price model:1"
    assert register(store).id == "price model:2"
    assert register(store, "price-model").id == "price-model:1"
    assert sorted(latest_versions(store).values()) == [1, 2]


def test_a_model_comes_back_as_it_was(store: FolderStore) -> None:
    first = register(store, tags={"a": 1}, properties={"b": None}, framework="sklearn", description="ü")
    second = register(store)
    assert read_model(store, "price model", 1) == first
    assert read_model(store, "price model") == second
    assert [read_model(store, *which) for which in (("none",), ("price model", 3), ("price model", 0))] == [
        None
    ] * 3


def test_ten_is_after_nine(store: FolderStore) -> None:
    for _ in range(11):
        register(store)
    latest = read_model(store, "price model")
    assert latest is not None and latest.model_version == 11


def test_many_processes_register_distinct_versions(tmp_path: Path) -> None:
    code = f"""
store = FolderStore({str(tmp_path / "store")!r})
for i in range(5):
    ids = dict.fromkeys(("created", "run_id", "dag_id", "dag_run_id"), "")
    model = register_model(store, name="m", path=f"{{number}}-{{i}}", **ids)
    print(model.model_version, model.path)
"""
    imports = """
from mlsteps.data.stores import FolderStore
from mlsteps.records import register_model
"""
    got = dict(line.split() for printed in at_once(imports, code, tmp_path) for line in printed.splitlines())
    assert sorted(map(int, got)) == list(range(1, 41))
    store = FolderStore(tmp_path / "store")
    for version, path in got.items():
        model = read_model(store, "m", int(version))
        assert model is not None and model.path == path


def test_fields_of_a_later_release_are_passed_over(store: FolderStore) -> None:
    model = register(store, "m")
    path = "mlsteps/registry/models/m/1.json"
    store.write(path, json.dumps({**json.loads(store.read(path)), "colour": "red"}).encode())
    assert read_model(store, "m") == model


def test_a_malformed_record_is_one_clear_error(store: FolderStore) -> None:
    store.write("mlsteps/registry/models/m/1.json", b'{"version": 1, "name": "m"}')
    store.write("mlsteps/registry/models/m/notes.txt", b"")
    with pytest.raises(RecordFormatError, match="models/m/1.json is not a record of the kind"):
        read_model(store, "m")

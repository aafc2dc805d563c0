"""Any filesystem of fsspec as a store for data: here one in memory."""

from __future__ import annotations

import random
from pathlib import Path
from uuid import uuid4

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from data.stores.contract import ODD_NAMES, listed
from mlsteps.data.stores.object_storage import ObjectStorageStore
from mlsteps.exceptions import DatastoreException, UserErrorException


@pytest.fixture
def store() -> ObjectStorageStore:
    root = f"memory://{uuid4().hex}/folder"
    return ObjectStorageStore(MemoryFileSystem(), root, root)


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
def test_files_are_written_read_listed_and_deleted(
    store: ObjectStorageStore, tmp_path: Path, name: str
) -> None:
    (tmp_path / "source").write_bytes(random.Random(1).randbytes(9 << 20))
    store.put_file(tmp_path / "source", f"a/{name}")
    store.get_file(f"a/{name}", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "source").read_bytes()
    assert store.list_names("a") == [name]
    (found,) = store.list()
    assert found == store.stat(f"a/{name}")
    assert (found.path, found.size, found.content) == (f"a/{name}", 9 << 20, None)
    store.delete("a")
    assert listed(store) == []


def test_a_listing_goes_through_folders_in_the_order_of_paths(store: ObjectStorageStore) -> None:
    paths = ["a-b", "a.b/x", "a/b-c", "a/b.d/e", "a/c/1", "a0", "b"]
    for path in reversed(paths):
        store.write(path, b"")
    assert listed(store) == sorted(paths)
    assert listed(store, "a") == ["a/b-c", "a/b.d/e", "a/c/1"]
    assert store.list_names() == ["a", "a-b", "a.b", "a0", "b"]
    assert listed(store, "a0") == ["a0"]


def test_what_is_missing_is_one_error(store: ObjectStorageStore) -> None:
    store.write("folder/x", b"")
    for path in ("none", "folder", "folder/x/below"):
        assert store.stat(path) is None
        with pytest.raises(FileNotFoundError):
            store.open(path)


def test_records_are_refused_where_one_creator_is_not_certain(store: ObjectStorageStore) -> None:
    with pytest.raises(DatastoreException, match="kind 'memory' is not known to create a file for exactly"):
        store.create("x", b"")
    assert listed(store) == []


def test_the_root_is_no_file(store: ObjectStorageStore) -> None:
    with pytest.raises(UserErrorException, match="is the datastore itself"):
        store.write("", b"")


def test_neither_copies_nor_signed_urls_are_promised(store: ObjectStorageStore) -> None:
    store.write("x", b"")
    assert not store.copy_here(store, "x", "y")
    assert store.signed_url("x", 60) is None

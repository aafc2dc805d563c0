"""What a transfer refuses before it writes anything: places that do not fit, and names that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.transfer.stores import PlainStore, tree
from mlsteps.cli.azurite import Azurite
from mlsteps.data.stores import FolderStore
from mlsteps.data.transfer import names, transfer
from mlsteps.exceptions import DataNotFoundException, UserErrorException
from servers.azurite import azurite, blob_store

__all__ = ["azurite"]


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "source")


@pytest.fixture
def target(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "target")


def test_a_source_that_is_not_there(store: FolderStore, target: FolderStore, azurite: Azurite) -> None:
    store.write("a", b"1")
    for source in (store, PlainStore(store), blob_store(azurite)):
        for kind in (None, "file", "directory"):
            with pytest.raises(DataNotFoundException, match="nothing at .*none' to copy"):
                transfer(source, "none", target, "x", kind=kind)  # type: ignore[arg-type]
    assert not target.root.exists()


def test_a_file_is_no_directory_and_the_other_way_round(
    store: FolderStore, target: FolderStore, azurite: Azurite
) -> None:
    blobs = blob_store(azurite)
    for source in (store, blobs):
        source.write("file", b"1")
        source.write("folder/file", b"1")
        for path, kind, problem in (
            ("file", "directory", "is a file, and a directory was"),
            ("folder", "file", "is a directory, and a file was"),
            ("file/", None, "ends with a slash"),
        ):
            with pytest.raises(UserErrorException, match=problem):
                transfer(source, path, target, "x", kind=kind)  # type: ignore[arg-type]
    assert not target.root.exists()
    for place in (target, blobs):
        place.write("there/x", b"1")
        place.write("single", b"1")
        before = tree(place)
        for path, to, problem in (
            ("file", "there", "there is a folder at"),
            ("file", "", "is a folder"),
            ("file", "new/", "is a folder"),
            ("folder", "single", "there is a file at"),
        ):
            with pytest.raises(UserErrorException, match=problem):
                transfer(store, path, place, to)
        assert tree(place) == before
    with pytest.raises(UserErrorException, match="single' is a file"):
        transfer(store, "folder", target, "single/below")


def test_an_empty_folder_is_copied_and_mirrored(store: FolderStore, target: FolderStore) -> None:
    (store.root / "empty").mkdir(parents=True)
    target.write("out/a", b"1")
    assert transfer(store, "empty", target, "out").files == 0
    assert transfer(store, "empty", target, "out", mirror=True).files_deleted == 1
    assert tree(target) == {}


def test_places_that_overlap(store: FolderStore, tmp_path: Path, azurite: Azurite) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "source")
    linked, blobs = FolderStore(tmp_path / "link"), blob_store(azurite)
    for one, other in ((store, store), (store, linked), (blobs, blobs)):
        one.write("a/b", b"1")
        for path, to, problem in (
            ("a", "a", "the same place"),
            ("a/b", "a/b", "the same place"),
            ("a", "a/c", "lies in the source"),
            ("", "x", "lies in the source"),
        ):
            with pytest.raises(UserErrorException, match=problem):
                transfer(one, path, other, to)
        with pytest.raises(UserErrorException, match="mirroring would delete"):
            transfer(one, "a", other, "", mirror=True)
        assert tree(one) == {"a/b": b"1"}
        assert transfer(one, "a", other, "ab").files == 1
        one.delete("ab")


def test_options_that_make_no_sense(store: FolderStore, target: FolderStore) -> None:
    store.write("a", b"")
    for options in ({"overwrite": "yes"}, {"parallel": 0}, {"bytes_per_second": 0}, {"kind": "folder"}):
        with pytest.raises(UserErrorException):
            transfer(store, "", target, "", **options)  # type: ignore[arg-type]


def test_names_that_azure_cannot_hold(store: FolderStore, azurite: Azurite) -> None:
    blobs = blob_store(azurite, "prefix")
    for name, problem in (
        ("a\\b", "backslash"),
        ("/".join(["x" * 200] * 6), "more than 1024 characters"),
        ("\udcff", "no UTF-8"),
    ):
        store.write("fine", b"1")
        store.write(name, b"2")
        with pytest.raises(UserErrorException, match=problem):
            transfer(store, "", blobs, "")
        assert list(blobs.list()) == []
        store.delete("")
    store.write("x" * 200, b"")
    with pytest.raises(UserErrorException, match="more than 1024 characters"):
        transfer(store, "", blobs, "/".join(["y" * 200] * 4) + "/12345678901234567890")


def test_names_that_a_folder_cannot_hold(target: FolderStore, azurite: Azurite) -> None:
    for paths, problem in (
        (["a", "a-b", "a/b"], "a file or a folder, not both"),
        (["a", "a/b/c"], "a file or a folder, not both"),
        (["ﾃ" * 100], "more than 255 bytes"),
        (["a/.x.12-0123456789ab.tmp"], "unfinished files"),
    ):
        blobs = blob_store(azurite)
        for path in paths:
            blobs.write(path, b"1")
        blobs.write("0", b"1")
        with pytest.raises(UserErrorException, match=problem):
            transfer(blobs, "", target, "out")
        assert not target.root.exists()


@pytest.mark.parametrize(
    "paths", [["a", "A"], ["x/é", "x/e\u0301"], ["x/a", "X/b"], ["straße", "STRASSE"], ["a", "A/b"]]
)
def test_names_that_a_store_takes_for_one(
    store: FolderStore, target: FolderStore, paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in paths:
        store.write(path, b"1")
    monkeypatch.setattr(names, "_ignores_case", lambda place: True)
    with pytest.raises(UserErrorException, match="ignores case|not both"):
        transfer(store, "", target, "")
    assert not target.root.exists()


def test_a_mirror_that_ignores_case_keeps_what_is_spelled_otherwise(
    store: FolderStore, target: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write("README", b"1")
    target.write("ReadMe", b"2")
    target.write("other", b"2")
    monkeypatch.setattr(names, "_ignores_case", lambda place: True)
    assert transfer(store, "", target, "", mirror=True).files_deleted == 1
    assert set(tree(target)) == {"README", "ReadMe"}


def test_an_ordinary_folder_does_not_ignore_case(tmp_path: Path) -> None:
    assert not names.rules_of(FolderStore(tmp_path), "a/b").ignores_case

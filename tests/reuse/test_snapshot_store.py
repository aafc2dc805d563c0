"""One archive for each content, and never one whose name lies about it."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mlsteps.data.stores import FolderStore
from mlsteps.exceptions import SnapshotException
from mlsteps.reuse import snapshot_store
from mlsteps.reuse.snapshot import archive_digest, take_snapshot
from mlsteps.reuse.snapshot_store import store_snapshot

FOLDER = "mlsteps/snapshots"


class Remote(FolderStore):
    """A store that is no folder here, and counts what is sent to it."""

    sent = 0

    def local_path(self, path: str):  # type: ignore[no-untyped-def]
        return None

    def stat(self, path: str):  # type: ignore[no-untyped-def]
        return (self.root / path).exists() or None

    def put_file(self, source: Path, path: str) -> None:
        self.sent += 1
        FolderStore(self.root).put_file(source, path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a.py").write_text("first")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def names_are_true(folder: Path) -> bool:
    return all(archive_digest(file).endswith(file.stem) for file in folder.glob("*.zip"))


def test_an_archive_is_named_after_its_content(source: Path, store: FolderStore, tmp_path: Path) -> None:
    snapshot, archive = store_snapshot(source, store, FOLDER, tmp_path / "cache")
    assert archive == store.local_path(f"{FOLDER}/{snapshot.digest.rpartition(':')[2]}.zip")
    assert zipfile.ZipFile(archive).read("a.py") == b"first"
    assert names_are_true(archive.parent)
    assert not (tmp_path / "cache").exists()


def test_the_same_content_is_written_once(source: Path, store: FolderStore, tmp_path: Path) -> None:
    _, first = store_snapshot(source, store, FOLDER, tmp_path)
    written = first.stat().st_mtime_ns
    (source / "a.py").write_text("second")
    store_snapshot(source, store, FOLDER, tmp_path)
    (source / "a.py").write_text("first")
    _, again = store_snapshot(source, store, FOLDER, tmp_path)
    assert (again, again.stat().st_mtime_ns) == (first, written)
    assert len(store.list_names(FOLDER)) == 2


def test_a_store_elsewhere_gets_a_copy_once(source: Path, tmp_path: Path) -> None:
    store = Remote(tmp_path / "store")
    for _ in range(2):
        snapshot, archive = store_snapshot(source, store, FOLDER, tmp_path / "cache")
        assert archive.parent == tmp_path / "cache"
        assert (
            archive_digest(archive) == archive_digest(store.root / FOLDER / archive.name) == snapshot.digest
        )
    assert store.sent == 1


def while_archiving(
    monkeypatch: pytest.MonkeyPatch, before: Callable[[], object], after: Callable[[], object]
) -> None:
    """Do something between hashing and archiving, and between archiving and whatever follows."""
    write = snapshot_store.write_archive

    def write_archive(files, target) -> None:  # type: ignore[no-untyped-def]
        before()
        write(files, target)
        after()

    monkeypatch.setattr(snapshot_store, "write_archive", write_archive)


def test_a_file_that_changes_once_is_read_again(
    source: Path, store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    while_archiving(monkeypatch, lambda: (source / "a.py").write_text("second"), lambda: None)
    snapshot, archive = store_snapshot(source, store, FOLDER, tmp_path)
    assert zipfile.ZipFile(archive).read("a.py") == b"second"
    assert take_snapshot(source).digest == snapshot.digest
    assert store.list_names(FOLDER) == [archive.name]


def test_a_file_that_changes_back_does_not_make_the_name_lie(
    source: Path, store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashed, changed, archived, changed back, hashed again: both hashes agree and the archive differs."""
    while_archiving(
        monkeypatch,
        lambda: (source / "a.py").write_text("other"),
        lambda: (source / "a.py").write_text("first"),
    )
    with pytest.raises(SnapshotException, match="changes while it is read"):
        store_snapshot(source, store, FOLDER, tmp_path)
    assert store.list_names(FOLDER) == []


def test_a_file_that_keeps_changing_is_an_error_with_the_remedy(
    source: Path, store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = itertools.count()
    while_archiving(monkeypatch, lambda: (source / "a.py").write_text(f"{next(count)}"), lambda: None)
    with pytest.raises(SnapshotException, match=r"changes while it is read.*\.amlignore"):
        store_snapshot(source, store, FOLDER, tmp_path)
    assert store.list_names(FOLDER) == []
    assert [file.name for file in (store.root / FOLDER).iterdir()] == []


def test_a_file_that_is_deleted_between_is_read_again_without_it(
    source: Path, store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "b.py").touch()
    while_archiving(monkeypatch, lambda: (source / "b.py").unlink(missing_ok=True), lambda: None)
    snapshot, archive = store_snapshot(source, store, FOLDER, tmp_path)
    assert snapshot.files == ("a.py",)
    assert names_are_true(archive.parent)


def test_a_missing_directory_is_named(store: FolderStore, tmp_path: Path) -> None:
    with pytest.raises(SnapshotException, match="none' does not exist"):
        store_snapshot(tmp_path / "none", store, FOLDER, tmp_path)

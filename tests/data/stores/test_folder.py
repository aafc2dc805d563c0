"""A folder as a store: all or nothing, one creator, sorted listings, nothing outside of the root."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.stores.contract import StoreContract, listed
from mlsteps.data.stores import FolderStore
from processes import at_once, start

STORE = "from pathlib import Path; from mlsteps.data.stores import FolderStore"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "root")


class TestFolderStore(StoreContract):
    @pytest.fixture
    def elsewhere(self, store: FolderStore) -> tuple[str, str]:
        return STORE, f"FolderStore({str(store.root)!r})"


def test_nothing_is_made_until_something_is_written(store: FolderStore) -> None:
    assert store.stat("a") is None
    assert listed(store) == []
    assert store.list_names("a/b") == []
    store.delete("a")
    assert not store.root.exists()


def test_create_works_where_there_are_no_hard_links(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert store.create("a/x", b"first")
    assert not store.create("a/x", b"second")
    assert store.read("a/x") == b"first"
    assert listed(store) == ["a/x"]


@pytest.mark.parametrize("delay", [0.0, 0.004, 0.011])
def test_a_killed_writer_leaves_the_old_or_the_new_file_and_nothing_else(
    tmp_path: Path, delay: float
) -> None:
    root = tmp_path / "root"
    code = f"""
{STORE}
store = FolderStore({str(root)!r})
store.write("folder/x", b"a" * 3_000_000)
print("ready", flush=True)
while True:
    for letter in (b"b", b"a"):
        store.write("folder/x", letter * 3_000_000)
"""
    writer = start(code)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    time.sleep(delay)
    os.kill(writer.pid, signal.SIGKILL)
    writer.communicate()
    store = FolderStore(root)
    content = store.read("folder/x")
    assert len(content) == 3_000_000 and len(set(content)) == 1
    assert listed(store) == ["folder/x"]
    assert store.list_names("folder") == ["x"]


def test_what_a_killed_writer_leaves_is_hidden(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever name the writing of files gives to what is not finished, listings must know it."""
    seen: list[str] = []

    def replace(source: str, target: object) -> None:
        seen.append(os.path.basename(source))
        assert listed(store) == store.list_names() == []
        os.rename(source, str(target))

    monkeypatch.setattr(os, "replace", replace)
    for name in ("x", "run.json", "x" * 200, "ü\nx"):
        store.write(name, b"")
        store.delete(name)
    assert len(seen) == 4
    assert os.listdir(store.root) == []


def test_a_failed_write_leaves_no_trace(store: FolderStore, tmp_path: Path) -> None:
    store.write("folder/x", b"")
    with pytest.raises(OSError):
        store.write("folder", b"")
    with pytest.raises(FileNotFoundError):
        store.put_file(tmp_path / "none", "y")
    assert sorted(os.listdir(store.root)) == ["folder"]


names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sets(st.lists(names, min_size=1, max_size=3).map("/".join), max_size=8))
def test_a_listing_is_every_file_sorted_by_path(
    tmp_path_factory: pytest.TempPathFactory, paths: set[str]
) -> None:
    store = FolderStore(tmp_path_factory.mktemp("store"))
    written = []
    for path in sorted(paths):
        if not any(other.startswith(f"{path}/") for other in paths):
            store.write(path, path.encode())
            written.append(path)
    assert listed(store) == sorted(written)
    assert [store.read(path).decode() for path in written] == written


def test_links_to_folders_are_followed_and_loops_are_not(store: FolderStore, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x").write_bytes(b"1")
    store.write("data/a", b"")
    (store.root / "data/nas").symlink_to(elsewhere)
    (store.root / "data/loop").symlink_to(store.root)
    (store.root / "data/dangling").symlink_to("nothing")
    assert listed(store) == ["data/a", "data/nas/x"]
    assert store.read("data/nas/x") == b"1"


def test_a_file_that_goes_while_it_is_listed_is_left_out(store: FolderStore) -> None:
    for name in "abc":
        store.write(name, b"")
    listing = store.list()
    assert next(listing).path == "a"
    store.delete("b")
    assert [info.path for info in listing] == ["c"]


def test_delete_takes_files_folders_links_and_nothing(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/x").touch()
    for path in ("a/b/c", "a/d", "e"):
        store.write(path, b"")
    (store.root / "link").symlink_to(tmp_path / "kept")
    for path in ("a/d", "a", "link", "none", "e/below"):
        store.delete(path)
    assert listed(store) == ["e"]
    assert (tmp_path / "kept/x").exists()


def test_many_processes_may_delete_the_same(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "root")
    for i in range(400):
        store.write(f"a/{i % 20}/{i}", b"")
    at_once(STORE, f"FolderStore({str(store.root)!r}).delete('a')", tmp_path, count=3)
    assert store.list_names() == []


@pytest.mark.parametrize(("mask", "mode"), [("0o022", 0o644), ("0o007", 0o660), ("0o077", 0o600)])
def test_permissions_are_those_of_the_umask(tmp_path: Path, mask: str, mode: int) -> None:
    code = f"""
import os; os.umask(0o022)
{STORE}
os.umask({mask})
store = FolderStore({str(tmp_path / "root")!r})
store.write("w", b""); store.create("c", b""); store.put_file(Path(store.local_path("w")), "p")
"""
    process = start(code)
    process.communicate()
    assert process.returncode == 0
    modes = [(tmp_path / "root" / name).stat().st_mode & 0o777 for name in "wcp"]
    assert modes == [mode] * 3


def test_get_file_is_all_or_nothing(store: FolderStore, tmp_path: Path) -> None:
    class Broken(FolderStore):
        def open(self, path: str):  # type: ignore[no-untyped-def]
            stream = super().open(path)
            stream.close()  # reading it fails
            return stream

    store.write("x", b"new")
    target = tmp_path / "folder/x"
    store.get_file("x", target)
    with pytest.raises(ValueError):
        Broken(store.root).get_file("x", tmp_path / "folder/y")
    assert [file.name for file in (tmp_path / "folder").iterdir()] == ["x"]


def test_where_it_lies(store: FolderStore) -> None:
    assert store.local_path("a/b") == store.root / "a/b"
    assert store.url("a/b") == f"{store.root}/a/b"
    assert "~" not in str(FolderStore("~/x").root)

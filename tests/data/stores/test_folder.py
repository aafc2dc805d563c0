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

from mlsteps.data.stores import FileInfo, FolderStore
from mlsteps.exceptions import UserErrorException
from processes import at_once, start

STORE = "from pathlib import Path; from mlsteps.data.stores import FolderStore"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "root")


def listed(store: FolderStore, prefix: str = "") -> list[str]:
    return [info.path for info in store.list(prefix)]


def test_nothing_is_made_until_something_is_written(store: FolderStore) -> None:
    assert store.stat("a") is None
    assert listed(store) == []
    assert store.list_names("a/b") == []
    store.delete("a")
    assert not store.root.exists()


def test_what_is_written_is_read(store: FolderStore) -> None:
    store.write("a/b/c.bin", b"\0\xff")
    store.write("a/b/c.bin", b"new")
    assert store.read("a/b/c.bin") == b"new"
    assert store.stat("a/b/c.bin") == FileInfo("a/b/c.bin", 3)
    assert store.stat("a/b") is None
    assert store.stat("a/b/c.bin/d") is None


@pytest.mark.parametrize("path", ["none", "folder", "folder/file/below"])
def test_opening_what_is_no_file_is_one_error(store: FolderStore, path: str) -> None:
    store.write("folder/file", b"")
    with pytest.raises(FileNotFoundError):
        store.read(path)


def test_create_makes_a_file_once(store: FolderStore) -> None:
    assert store.create("a/x", b"first")
    assert not store.create("a/x", b"second")
    assert store.read("a/x") == b"first"


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


def test_of_many_processes_one_creates(tmp_path: Path) -> None:
    code = f"""
store = FolderStore({str(tmp_path / "root")!r})
for i in range(50):
    if store.create(f"registry/{{i}}", str(number).encode() * 5000):
        print(i)
"""
    won = [line for printed in at_once(STORE, code, tmp_path) for line in printed.split()]
    assert sorted(won, key=int) == [str(i) for i in range(50)]
    store = FolderStore(tmp_path / "root")
    for i in range(50):
        content = store.read(f"registry/{i}")
        assert len(content) == 5000 and len(set(content)) == 1


@pytest.mark.parametrize("verb", ["write", "put_file"])
def test_a_reader_never_sees_half_a_file(tmp_path: Path, verb: str) -> None:
    root = tmp_path / "root"
    for letter in "ab":
        (tmp_path / letter).write_bytes(letter.encode() * 2_000_000)
    code = f"""
{STORE}
store = FolderStore({str(root)!r})
while True:
    for name in "ab":
        if {verb!r} == "write":
            store.write("x", name.encode() * 2_000_000)
        else:
            store.put_file(Path({str(tmp_path)!r}, name), "x")
"""
    writer = start(code)
    store = FolderStore(root)
    try:
        wait_for(lambda: store.stat("x") is not None)
        for _ in range(60):
            content = store.read("x")
            assert len(content) == 2_000_000 and len(set(content)) == 1
            assert listed(store) == store.list_names() == ["x"]
    finally:
        writer.kill()
        writer.communicate()


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


def test_a_listing_is_sorted_as_an_object_store_would(store: FolderStore) -> None:
    paths = ["a", "a-b/x", "a.txt", "b/a", "b/a/1", "b.txt", "A/z"]
    for path in paths:
        if path not in ("b/a",):
            store.write(path, b"")
    assert listed(store) == sorted(set(paths) - {"b/a"})
    assert store.list_names() == ["A", "a", "a-b", "a.txt", "b", "b.txt"]


def test_a_prefix_is_a_file_or_a_folder_not_the_start_of_a_name(store: FolderStore) -> None:
    for path in ("data/a", "data/b/c", "data2/x", "data.csv"):
        store.write(path, b"12")
    assert listed(store, "data") == listed(store, "/data/") == ["data/a", "data/b/c"]
    assert list(store.list("data.csv")) == [FileInfo("data.csv", 2)]
    assert listed(store, "dat") == []


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


@pytest.mark.parametrize("path", ["../x", "a/../../x", "..", "a\0b"])
def test_no_verb_leaves_the_root(store: FolderStore, tmp_path: Path, path: str) -> None:
    source = tmp_path / "source"
    source.touch()
    for act in (
        lambda: store.write(path, b""),
        lambda: store.create(path, b""),
        lambda: store.put_file(source, path),
        lambda: store.get_file(path, tmp_path / "target"),
        lambda: store.read(path),
        lambda: store.delete(path),
        lambda: store.stat(path),
        lambda: list(store.list(path)),
        lambda: store.list_names(path),
        lambda: store.url(path),
    ):
        with pytest.raises(UserErrorException):
            act()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["source"]


@pytest.mark.parametrize("path", ["", "/", "./"])
def test_the_root_itself_is_no_file(store: FolderStore, tmp_path: Path, path: str) -> None:
    source = tmp_path / "source"
    source.touch()
    for act in (
        lambda: store.write(path, b""),
        lambda: store.create(path, b""),
        lambda: store.put_file(source, path),
    ):
        with pytest.raises(UserErrorException, match="is the datastore itself"):
            act()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["source"]


@pytest.mark.parametrize("name", ["übung", "日本語.csv", "a b", "a\\b", "x\ny", "%41", "~", "a:b", "🎻" * 20])
def test_any_name_is_kept_as_it_is(store: FolderStore, tmp_path: Path, name: str) -> None:
    store.write(f"f/{name}", b"1")
    (path,) = listed(store)
    assert path == f"f/{name}"
    assert store.list_names("f") == [name]
    store.get_file(path, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"1"


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


def wait_for(condition) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)

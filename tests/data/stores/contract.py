"""What every kind of store promises: one set of tests, run against each of them.

A test module makes a class of :class:`StoreContract` whose name begins with ``Test``, and gives two fixtures:

- ``store``: an empty store;
- ``elsewhere``: how another process opens the same store, as a pair of texts: imports, and an expression.

What a kind of storage cannot have is said in the attributes of the class, with the reason beside it.
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlsteps.data.stores import Store
from mlsteps.exceptions import UserErrorException
from processes import at_once, start

MIB = 1 << 20

ODD_NAMES = {
    "blank": "a b",
    "umlaut": "übung",
    "decomposed umlaut": "u\N{COMBINING DIAERESIS}bung",
    "japanese": "日本語.csv",
    "astral": "🎻" * 20,
    "percent": "50%",
    "percent code": "%41%2F",
    "hash": "a#b",
    "question mark": "a?b=c&d",
    "plus": "a+b",
    "leading dot": ".hidden",
    "leading dots": "..a",
    "three dots": "...",
    "tilde": "~",
    "colon": "a:b",
    "backslash": "a\\b",
    "quotes": 'it\'s "so"',
    "brackets": "[a]{b}<c>",
    "star": "*",
    "line break": "x\ny",
    "leading blank": " a",
    "trailing blank": "a ",
    "trailing dot": "a.",
    "long": "x" * 240,
    "long in bytes": "ü" * 120,
    "looks like a URL": "s3:x",
}


class StoreContract:
    """The promises of :class:`mlsteps.data.stores.Store`."""

    refused_names: frozenset[str] = frozenset()
    """Those of ``ODD_NAMES`` that the storage cannot have. Writing one is a UserErrorException."""

    names_unknown_to_the_server: frozenset[str] = frozenset()
    """Those of ``ODD_NAMES`` that the storage can have, and the server that stands for it here cannot."""

    case_matters = True
    """Whether ``a`` and ``A`` are two files."""

    readers_and_writers = 40
    """How often a file is read while it is being replaced."""

    @pytest.fixture
    def local(self, tmp_path: Path) -> Path:
        """A folder on this machine that has nothing to do with the store."""
        (tmp_path / "local").mkdir()
        return tmp_path / "local"

    # -- what is written is read

    def test_nothing_is_there_before_something_is_written(self, store: Store) -> None:
        assert store.stat("a") is None
        assert store.stat("") is None
        assert listed(store) == listed(store, "a/b") == []
        assert store.list_names() == store.list_names("a/b") == []
        store.delete("a")
        store.delete("a/b")

    def test_what_is_written_is_read(self, store: Store) -> None:
        store.write("a/b/c.bin", b"\0\xff")
        assert store.read("a/b/c.bin") == b"\0\xff"
        store.write("a/b/c.bin", b"new", durable=False)
        assert store.read("a/b/c.bin") == b"new"
        with store.open("a/b/c.bin") as stream:
            assert (stream.read(2), stream.read(), stream.read()) == (b"ne", b"w", b"")

    def test_a_file_is_told_by_its_path_and_size(self, store: Store) -> None:
        store.write("a/b/c.bin", b"123")
        found = store.stat("a/b/c.bin")
        assert found is not None
        assert (found.path, found.size) == ("a/b/c.bin", 3)
        assert list(store.list()) == list(store.list("a/b/c.bin")) == [found]

    def test_what_a_store_knows_of_a_content_changes_with_it(self, store: Store) -> None:
        known = []
        for data in (b"one", b"two"):
            store.write("x", data)
            info = store.stat("x")
            assert info is not None
            known.append(info.content)
        assert known == [None, None] or len(set(known)) == 2

    @pytest.mark.parametrize("path", ["folder", "folder/"])
    def test_a_folder_is_no_file(self, store: Store, path: str) -> None:
        store.write("folder/file", b"1")
        assert store.stat(path) is None
        with pytest.raises(FileNotFoundError):
            store.read(path)

    @pytest.mark.parametrize("path", ["none", "none/below", "folder/none", "folder/file/below"])
    def test_what_is_missing_is_one_error(self, store: Store, local: Path, path: str) -> None:
        store.write("folder/file", b"")
        assert store.stat(path) is None
        with pytest.raises(FileNotFoundError):
            store.open(path)
        with pytest.raises(FileNotFoundError):
            store.read(path)
        with pytest.raises(FileNotFoundError):
            store.get_file(path, local / "copies/copy")
        assert not (local / "copies").exists() or os.listdir(local / "copies") == []

    # -- local files

    @pytest.mark.parametrize("size", [0, 1, 9 * MIB], ids=["0 bytes", "1 byte", "9 MiB"])
    def test_local_files_go_and_come_whole(self, store: Store, local: Path, size: int) -> None:
        source, target = local / "source", local / "made/on/the/way"
        source.write_bytes(random.Random(size).randbytes(size))
        store.put_file(source, "folder/x")
        found = store.stat("folder/x")
        assert found is not None
        assert found.size == size
        store.get_file("folder/x", target)
        assert _sha(target) == _sha(source)
        with store.open("folder/x") as stream:
            assert hashlib.sha256(stream.read()).hexdigest() == _sha(source)

    def test_putting_a_file_replaces_one(self, store: Store, local: Path) -> None:
        store.write("x", b"a longer one")
        (local / "source").write_bytes(b"new")
        store.put_file(local / "source", "x")
        assert store.read("x") == b"new"

    def test_getting_a_file_replaces_one(self, store: Store, local: Path) -> None:
        store.write("x", b"new")
        (local / "x").write_bytes(b"a longer one")
        store.get_file("x", local / "x")
        assert (local / "x").read_bytes() == b"new"
        assert os.listdir(local) == ["x"]

    def test_a_local_file_that_is_none_is_not_put(self, store: Store, local: Path) -> None:
        (local / "folder").mkdir()
        with pytest.raises(FileNotFoundError):
            store.put_file(local / "none", "x")
        with pytest.raises(IsADirectoryError):
            store.put_file(local / "folder", "x")
        assert listed(store) == []

    def test_getting_what_cannot_be_kept_leaves_nothing_behind(self, store: Store, local: Path) -> None:
        """The target's name is taken by a folder; found out when all of the bytes have come."""
        store.write("x", b"1" * 1000)
        (local / "taken/below").mkdir(parents=True)
        with pytest.raises(OSError):
            store.get_file("x", local / "taken")
        assert os.listdir(local) == ["taken"]

    # -- names

    @pytest.mark.parametrize("kind", ODD_NAMES)
    def test_any_name_is_kept_as_it_is(self, store: Store, local: Path, kind: str) -> None:
        if kind in self.names_unknown_to_the_server:
            pytest.skip("the server of the tests cannot have it")
        name = ODD_NAMES[kind]
        path = f"{name}/in {name}" if len(name) < 100 else f"f/{name}"
        if kind in self.refused_names:
            with pytest.raises(UserErrorException, match="cannot"):
                store.write(path, b"1")
            assert listed(store) == []
            return
        store.write(path, b"1")
        assert listed(store) == [path]
        folder, _, last = path.rpartition("/")
        assert store.list_names() == [folder]
        assert store.list_names(folder) == [last]
        assert listed(store, folder) == listed(store, path) == [path]
        assert not store.create(path, b"2")
        store.get_file(path, local / "copy")
        assert (local / "copy").read_bytes() == store.read(path) == b"1"
        store.put_file(local / "copy", path)
        found = store.stat(path)
        assert found is not None
        assert found.path == path
        store.delete(path)
        assert listed(store) == []

    def test_names_that_look_alike_are_different_files(self, store: Store) -> None:
        names = ["a", "a b", "a%20b", "a+b", "%61", "a&b", "aa"]
        if self.case_matters:
            names.append("A")
        for name in names:
            assert store.create(name, name.encode())
        assert listed(store) == store.list_names() == sorted(names)
        assert [store.read(name).decode() for name in names] == names

    def test_a_deep_path_is_kept(self, store: Store) -> None:
        path = "/".join(f"folder {number}" for number in range(30))
        store.write(path, b"1")
        assert listed(store) == [path]
        assert store.read(path) == b"1"

    # -- listings

    def test_a_listing_is_sorted_by_path(self, store: Store) -> None:
        """By code points: ``a-b`` and ``a.b/`` come before ``a/``, and what is outside of the BMP last."""
        paths = ["a-b", "a.b/x", "a/b", "a/b-c", "a/b.d/e", "a/c/1", "a0", "b", "ﾃ", "🎻/x", "🎻.x"]
        for path in random.Random(1).sample(paths, len(paths)):
            if path != "a/b":
                store.write(path, b"")
        assert listed(store) == sorted(set(paths) - {"a/b"})
        assert listed(store, "a") == ["a/b-c", "a/b.d/e", "a/c/1"]
        assert store.list_names() == sorted(["a-b", "a.b", "a", "a0", "b", "ﾃ", "🎻", "🎻.x"])
        assert store.list_names("a") == ["b-c", "b.d", "c"]

    def test_a_file_beside_folders_that_begin_alike(self, store: Store) -> None:
        for path in ("a", "a-b", "a.b/c"):
            store.write(path, path.encode())
        assert listed(store, "a") == ["a"]
        assert listed(store) == ["a", "a-b", "a.b/c"]
        assert store.list_names() == ["a", "a-b", "a.b"]
        store.delete("a")
        assert listed(store) == ["a-b", "a.b/c"]

    def test_a_prefix_is_a_file_or_a_folder_not_the_start_of_a_name(self, store: Store) -> None:
        for path in ("data/a", "data/b/c", "data2/x", "data.csv"):
            store.write(path, b"12")
        assert listed(store, "data") == listed(store, "/data/") == ["data/a", "data/b/c"]
        assert listed(store, "data.csv") == ["data.csv"]
        assert listed(store, "dat") == store.list_names("dat") == []
        assert store.list_names("data.csv") == []

    def test_a_listing_shows_what_was_just_written_and_deleted(self, store: Store) -> None:
        for number in range(5):
            store.write(f"f/{number}", b"")
            assert listed(store, "f") == store_paths(number + 1)
            assert len(store.list_names("f")) == number + 1
        for number in reversed(range(5)):
            store.delete(f"f/{number}")
            assert store.stat(f"f/{number}") is None
            assert listed(store, "f") == store_paths(number)

    # -- one creator

    def test_create_makes_a_file_once(self, store: Store) -> None:
        assert store.create("a/x", b"first")
        assert not store.create("a/x", b"second")
        assert not store.create("a/x", b"first")
        assert store.read("a/x") == b"first"
        store.delete("a/x")
        assert store.create("a/x", b"third")

    def test_create_leaves_what_was_written(self, store: Store) -> None:
        store.write("x", b"")
        assert not store.create("x", b"second")
        assert store.read("x") == b""

    def test_of_many_threads_one_creates(self, store: Store) -> None:
        with ThreadPoolExecutor(8) as threads:
            for number in range(10):
                path = f"registry/{number}"
                won = list(threads.map(lambda i, p=path: store.create(p, bytes([i]) * 5000), range(8)))
                assert won.count(True) == 1
                assert store.read(path) == bytes([won.index(True)]) * 5000

    def test_of_many_processes_one_creates(
        self, store: Store, elsewhere: tuple[str, str], local: Path
    ) -> None:
        imports, opened = elsewhere
        code = """
for i in range(30):
    if store.create(f"registry/{i}", str(number).encode() * 5000):
        print(i)
"""
        printed = at_once(f"{imports}\nstore = {opened}", code, local, count=4)
        won = [line for lines in printed for line in lines.split()]
        assert sorted(won, key=int) == [str(number) for number in range(30)]
        for number in range(30):
            content = store.read(f"registry/{number}")
            assert len(content) == 5000
            assert len(set(content)) == 1

    # -- readers and writers at the same time

    @pytest.mark.parametrize("verb", ["write", "put_file"])
    def test_a_reader_never_sees_half_a_file(
        self, store: Store, elsewhere: tuple[str, str], local: Path, verb: str
    ) -> None:
        sizes = {b"a": 2_000_000, b"b": 1_500_000}
        for letter, size in sizes.items():
            (local / letter.decode()).write_bytes(letter * size)
        imports, opened = elsewhere
        writer = start(f"""
from pathlib import Path
{imports}
store = {opened}
while True:
    for name in "ab":
        source = Path({str(local)!r}, name)
        if {verb!r} == "write":
            store.write("x", source.read_bytes())
        else:
            store.put_file(source, "x")
""")
        try:
            wait_for(lambda: store.stat("x") is not None)
            for number in range(self.readers_and_writers):
                if number % 3 == 0:
                    content = store.read("x")
                elif number % 3 == 1:
                    with store.open("x") as stream:
                        content = stream.read()
                else:
                    store.get_file("x", local / "copy")
                    content = (local / "copy").read_bytes()
                assert len(set(content)) == 1
                assert len(content) == sizes[content[:1]]
                assert listed(store) == store.list_names() == ["x"]
            assert writer.poll() is None
        finally:
            writer.kill()
            writer.communicate()

    def test_many_threads_may_use_one_store(self, store: Store) -> None:
        def work(number: int) -> bytes:
            path = f"folder {number % 3}/{number}"
            store.write(path, str(number).encode())
            assert path in listed(store, f"folder {number % 3}")
            return store.read(path)

        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(work, range(24))) == [str(number).encode() for number in range(24)]
        assert len(listed(store)) == 24

    # -- deleting

    def test_delete_takes_a_file_a_folder_and_nothing(self, store: Store) -> None:
        for path in ("a/b/c", "a/d", "a/e/f", "ab", "e"):
            store.write(path, b"")
        for path in ("a/d", "none", "a/none", "e/below"):
            store.delete(path)
        assert listed(store) == ["a/b/c", "a/e/f", "ab", "e"]
        store.delete("a")
        assert listed(store) == ["ab", "e"]
        assert store.list_names() == ["ab", "e"]

    def test_what_was_deleted_can_be_written_again(self, store: Store) -> None:
        store.write("a/b", b"1")
        store.delete("a")
        store.write("a", b"2")
        assert store.read("a") == b"2"
        store.delete("a")
        store.write("a/b", b"3")
        assert store.read("a/b") == b"3"

    def test_many_threads_may_delete_the_same(self, store: Store) -> None:
        for number in range(40):
            store.write(f"a/{number % 4}/{number}", b"", durable=False)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: store.delete("a"), range(4)))
        assert listed(store) == store.list_names() == []

    # -- paths that are refused

    @pytest.mark.parametrize("path", ["../x", "a/../../x", "..", "a/..", "a\0b"])
    def test_no_verb_leaves_the_store(self, store: Store, local: Path, path: str) -> None:
        (local / "source").touch()
        for act in (*_writes(store, path, local), *_reads(store, path, local)):
            with pytest.raises(UserErrorException):
                act()
        assert os.listdir(local) == ["source"]

    @pytest.mark.parametrize("path", ["", "/", "./", "."])
    def test_the_root_itself_is_no_file(self, store: Store, local: Path, path: str) -> None:
        (local / "source").touch()
        for act in _writes(store, path, local):
            with pytest.raises(UserErrorException, match="is the datastore itself"):
                act()
        with pytest.raises((UserErrorException, FileNotFoundError)):
            store.read(path)
        assert store.stat(path) is None
        assert listed(store, path) == []

    # -- places

    def test_a_place_is_told_without_a_secret(self, store: Store) -> None:
        assert store.url("a/b").startswith(store.url("").rstrip("/"))
        assert store.url("a/b").endswith("a/b")
        assert "@" not in store.url("a/b")

    def test_a_store_is_told_apart_in_a_log(self, store: Store) -> None:
        assert repr(store).startswith(f"{type(store).__name__}(")


def listed(store: Store, prefix: str = "") -> list[str]:
    return [info.path for info in store.list(prefix)]


def store_paths(count: int) -> list[str]:
    return [f"f/{number}" for number in range(count)]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _writes(store: Store, path: str, folder: Path) -> list[Callable[[], object]]:
    return [
        lambda: store.write(path, b""),
        lambda: store.create(path, b""),
        lambda: store.put_file(folder / "source", path),
    ]


def _reads(store: Store, path: str, folder: Path) -> list[Callable[[], object]]:
    return [
        lambda: store.get_file(path, folder / "target"),
        lambda: store.open(path),
        lambda: store.read(path),
        lambda: store.stat(path),
        lambda: list(store.list(path)),
        lambda: store.list_names(path),
        lambda: store.delete(path),
        lambda: store.url(path),
    ]

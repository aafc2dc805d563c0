"""The content of stored data, and what has become of it since a manifest was written."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.data.content import Damage, content_at, damage
from mlsteps.data.stores import FileInfo, FolderStore, Store
from mlsteps.exceptions import MlstepsException
from mlsteps.launcher import digest
from mlsteps.launcher.digest import digest_bytes, digest_tree
from mlsteps.launcher.manifest import FileEntry, Manifest, build_manifest
from mlsteps.reuse.digest_cache import DigestCache


class ShortReads(io.BytesIO):
    """Gives no more than a few bytes at a time, as a connection may."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(data)
        self.most = most

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self.most if size is None or size < 0 else min(size, self.most))


class ObjectStore(Store):
    """A store that is no folder of this machine.

    :param knows: What it says of a file's bytes without reading them.
    """

    def __init__(
        self,
        files: dict[str, bytes],
        knows: Callable[[bytes], str | None] = lambda data: None,
        most: int = 1 << 20,
    ) -> None:
        self.files = files
        self.knows = knows
        self.most = most
        self.opened: list[str] = []

    def _info(self, path: str) -> FileInfo:
        return FileInfo(path, len(self.files[path]), self.knows(self.files[path]))

    def stat(self, path: str) -> FileInfo | None:
        return self._info(path) if path in self.files else None

    def list(self, prefix: str = "") -> Iterator[FileInfo]:
        below = f"{prefix}/" if prefix else ""
        yield from (self._info(p) for p in sorted(self.files) if p == prefix or p.startswith(below))

    def open(self, path: str) -> BinaryIO:
        self.opened.append(path)
        if path not in self.files:
            raise FileNotFoundError(path)
        return ShortReads(self.files[path], self.most)

    def url(self, path: str) -> str:
        return f"https://account.example/{path}"

    def list_names(self, folder: str = "") -> Any:
        raise NotImplementedError

    def write(self, path: str, data: bytes, durable: bool = True) -> None:
        raise NotImplementedError

    def create(self, path: str, data: bytes) -> bool:
        raise NotImplementedError

    def put_file(self, source: Path, path: str) -> None:
        raise NotImplementedError

    def delete(self, path: str) -> None:
        raise NotImplementedError


def sized(data: bytes) -> str:
    """What an object store may know."""
    return f"md5:{len(data)}"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture(params=[True, False], ids=["cache", "no cache"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> DigestCache | None:
    return DigestCache(tmp_path / "digests", worth=0) if request.param else None


class TestOfAFolder:
    def test_nothing_there_is_none(self, store: FolderStore, cache: DigestCache | None) -> None:
        assert content_at(store, "", cache) is None
        store.write("a/b", b"1")
        for path in ("b", "a/c", "a/b/c"):
            assert content_at(store, path, cache) is None

    def test_a_file_has_the_digest_of_its_bytes(self, store: FolderStore, cache: DigestCache | None) -> None:
        store.write("a/b.csv", b"1,2")
        found = content_at(store, "a/b.csv", cache)
        assert found is not None
        assert (found.kind, found.number_of_files, found.bytes) == ("file", 1, 3)
        assert found.digest == digest_bytes(b"1,2")
        assert found.files() == {"": digest_bytes(b"1,2")}

    def test_a_folder_has_the_digest_of_its_manifest(
        self, store: FolderStore, cache: DigestCache | None
    ) -> None:
        store.write("data/a.csv", b"1")
        store.write("data/sub/b.csv", b"22")
        found = content_at(store, "data", cache)
        assert found is not None
        assert (found.kind, found.number_of_files, found.bytes) == ("directory", 2, 3)
        assert found.digest == build_manifest(store.local_path("data")).digest
        assert found.files() == {"a.csv": digest_bytes(b"1"), "sub/b.csv": digest_bytes(b"22")}

    def test_neither_place_nor_name_count_and_every_byte_does(
        self, store: FolderStore, cache: DigestCache | None
    ) -> None:
        for path, data in (("one/a", b"1"), ("two/deep/a", b"1"), ("three/a", b"2"), ("four/b", b"1")):
            store.write(path, data)
        digests = [
            content.digest
            for path in ("one", "two/deep", "three", "four")
            if (content := content_at(store, path, cache))
        ]
        assert digests[0] == digests[1]
        assert len(set(digests)) == 3

    def test_an_empty_folder_is_data(self, store: FolderStore, cache: DigestCache | None) -> None:
        store.local_path("empty").mkdir(parents=True)
        found = content_at(store, "empty", cache)
        assert found is not None
        assert (found.kind, found.number_of_files, found.bytes, found.files()) == ("directory", 0, 0, {})

    def test_links_are_followed_wherever_they_lead(
        self, store: FolderStore, cache: DigestCache | None, tmp_path: Path
    ) -> None:
        outside = tmp_path / "outside"
        (outside / "sub").mkdir(parents=True)
        (outside / "sub" / "b").write_bytes(b"b")
        store.write("plain/a", b"b")
        store.write("plain/sub/b", b"b")
        store.local_path("linked").mkdir()
        store.local_path("linked/a").symlink_to(outside / "sub" / "b")
        store.local_path("linked/sub").symlink_to(outside / "sub")
        store.local_path("whole").symlink_to(store.local_path("plain"))
        contents = [content_at(store, path, cache) for path in ("plain", "linked", "whole")]
        assert len({content.digest for content in contents if content}) == 1

    def test_links_to_nothing_are_nothing(self, store: FolderStore, cache: DigestCache | None) -> None:
        store.write("data/a", b"1")
        before = content_at(store, "data", cache)
        store.local_path("data/gone").symlink_to("nowhere")
        store.local_path("data/back").symlink_to(".")
        after = content_at(store, "data", cache)
        assert before is not None and after is not None and before.digest == after.digest
        assert content_at(store, "data/gone", cache) is None

    def test_what_is_no_data_is_told(self, store: FolderStore, cache: DigestCache | None) -> None:
        store.write("data/a", b"1")
        os.mkfifo(store.local_path("data/pipe"))
        with pytest.raises(MlstepsException, match="a named pipe"):
            content_at(store, "data", cache)


class TestOfAnObjectStore:
    def test_nothing_there_is_none(self) -> None:
        store = ObjectStore({"a/b": b"1", "ab": b"1"})
        for path in ("b", "a/c", "a/b/c"):
            assert content_at(store, path, None) is None

    def test_a_file_without_a_hash_is_read(self) -> None:
        store = ObjectStore({"a/b.csv": b"1,2", "a/b.csv.bak": b"0"})
        found = content_at(store, "a/b.csv", None)
        assert found is not None
        assert (found.kind, found.number_of_files, found.bytes) == ("file", 1, 3)
        assert found.digest == digest_bytes(b"1,2")
        assert found.files() == {"": found.digest}

    def test_what_the_store_knows_of_the_bytes_spares_the_reading(self) -> None:
        store = ObjectStore({"data/a": b"1", "data/sub/b": b"22"}, sized)
        single, folder = content_at(store, "data/a", None), content_at(store, "data", None)
        assert single is not None and folder is not None
        assert single.digest == "md5:1"
        assert folder.digest == digest_tree([("a", 1, "md5:1"), ("sub/b", 2, "md5:2")])
        assert folder.files() == {"a": "md5:1", "sub/b": "md5:2"}
        assert store.opened == []

    def test_a_folder_without_hashes_has_the_digest_that_it_would_have_on_disk(
        self, store: FolderStore
    ) -> None:
        files = {"data/a.csv": b"1", "data/sub/b.csv": b"22", "data/sub/empty": b""}
        for path, data in files.items():
            store.write(path, data)
        local, remote = content_at(store, "data", None), content_at(ObjectStore(files), "data", None)
        assert local is not None and remote is not None
        assert (remote.kind, remote.digest) == ("directory", local.digest)
        assert (remote.number_of_files, remote.bytes, remote.files()) == (3, 3, local.files())

    def test_a_folder_of_one_file_is_a_folder(self) -> None:
        found = content_at(ObjectStore({"data/a": b"1"}), "data", None)
        assert found is not None
        assert (found.kind, found.digest) == ("directory", digest_tree([("a", 1, digest_bytes(b"1"))]))

    def test_the_whole_store_is_a_folder(self) -> None:
        found = content_at(ObjectStore({"a": b"1", "b/c": b"2"}), "", None)
        assert found is not None
        assert (found.kind, sorted(found.files())) == ("directory", ["a", "b/c"])

    def test_its_place_does_not_count(self) -> None:
        one, other = (content_at(ObjectStore({f"{p}/a": b"1"}, sized), p, None) for p in ("x", "y/z"))
        assert one is not None and other is not None and one.digest == other.digest

    @given(data=st.binary(max_size=70), most=st.integers(1, 40))
    def test_pieces_as_short_as_they_come_make_the_same_chunks(self, data: bytes, most: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mlsteps.data.content.CHUNK_SIZE", 16)
            patch.setattr(digest, "CHUNK_SIZE", 16)
            found = content_at(ObjectStore({"a": data}, most=most), "a", None)
            assert found is not None
            assert found.digest == digest_bytes(data)

    def test_a_file_of_several_chunks_has_the_digest_that_it_has_on_disk(self, tmp_path: Path) -> None:
        data = os.urandom(2 * digest.CHUNK_SIZE + 5)
        found = content_at(ObjectStore({"a": data}, most=3_000_000), "a", None)
        assert found is not None
        (tmp_path / "a").write_bytes(data)
        assert found.digest == digest.digest_file(tmp_path / "a")

    @pytest.mark.parametrize("now", [b"", b"1", b"12345"])
    def test_a_file_that_changes_while_it_is_read_is_told(self, now: bytes) -> None:
        class Changing(ObjectStore):
            def open(self, path: str) -> BinaryIO:
                return io.BytesIO(now)

        with pytest.raises(MlstepsException, match=r"account\.example/a' changed while"):
            content_at(Changing({"a": b"123"}), "a", None)

    def test_a_file_that_is_deleted_before_it_is_read_is_told(self) -> None:
        class Losing(ObjectStore):
            def open(self, path: str) -> BinaryIO:
                raise FileNotFoundError(path)

        with pytest.raises(MlstepsException, match=r"account\.example/data/a"):
            content_at(Losing({"data/a": b"123"}), "data", None)


class TestDamage:
    FILES = {"a.csv": b"1", "sub/b.csv": b"22"}

    @pytest.fixture
    def manifest(self, store: FolderStore) -> Manifest:
        for path, data in self.FILES.items():
            store.write(f"data/{path}", data)
        return build_manifest(store.local_path("data"))

    def test_none_where_all_stands(
        self, store: FolderStore, cache: DigestCache | None, manifest: Manifest
    ) -> None:
        found = damage(manifest, store, "data", cache)
        assert found == Damage() and not found

    def test_nor_by_times_modes_and_empty_folders(
        self, store: FolderStore, cache: DigestCache | None, manifest: Manifest
    ) -> None:
        os.utime(store.local_path("data/a.csv"), (1, 1))
        store.local_path("data/a.csv").chmod(0o700)
        store.local_path("data/empty").mkdir()
        assert not damage(manifest, store, "data", cache)

    def test_each_file_is_told_by_what_became_of_it(
        self, store: FolderStore, cache: DigestCache | None, manifest: Manifest
    ) -> None:
        store.delete("data/a.csv")
        assert damage(manifest, store, "data", cache) == Damage(missing=("a.csv",))
        store.write("data/new", b"")
        store.write("data/sub/b.csv", b"33")
        found = damage(manifest, store, "data", cache)
        assert found == Damage(missing=("a.csv",), altered=("sub/b.csv",), added=("new",))
        assert found

    def test_a_truncated_file_is_altered(
        self, store: FolderStore, cache: DigestCache | None, manifest: Manifest
    ) -> None:
        store.write("data/sub/b.csv", b"2")
        assert damage(manifest, store, "data", cache) == Damage(altered=("sub/b.csv",))

    def test_data_that_is_gone_is_missing_as_a_whole(
        self, store: FolderStore, cache: DigestCache | None, manifest: Manifest
    ) -> None:
        store.delete("data")
        assert damage(manifest, store, "data", cache) == Damage(missing=("",))

    def test_a_folder_that_became_a_file(
        self, store: FolderStore, cache: DigestCache | None, manifest: Manifest
    ) -> None:
        store.delete("data")
        store.write("data", b"1")
        assert damage(manifest, store, "data", cache) == Damage(missing=("a.csv", "sub/b.csv"), added=("",))

    def test_a_file_that_became_a_folder(self, store: FolderStore, cache: DigestCache | None) -> None:
        store.write("model", b"1")
        manifest = build_manifest(store.local_path("model"))
        store.delete("model")
        store.local_path("model").mkdir()
        assert damage(manifest, store, "model", cache) == Damage(missing=("",))
        store.write("model/weights", b"1")
        assert damage(manifest, store, "model", cache) == Damage(missing=("",), added=("weights",))

    def test_an_empty_folder_stands_until_it_is_deleted_or_filled(
        self, store: FolderStore, cache: DigestCache | None
    ) -> None:
        store.local_path("empty").mkdir(parents=True)
        manifest = build_manifest(store.local_path("empty"))
        assert not damage(manifest, store, "empty", cache)
        store.write("empty/a", b"")
        assert damage(manifest, store, "empty", cache) == Damage(added=("a",))
        store.delete("empty")
        assert damage(manifest, store, "empty", cache) == Damage(missing=("",))
        store.write("empty", b"")
        assert damage(manifest, store, "empty", cache)

    def test_what_cannot_be_read_is_altered(
        self, store: FolderStore, cache: DigestCache | None, manifest: Manifest
    ) -> None:
        os.mkfifo(store.local_path("data/pipe"))
        assert damage(manifest, store, "data", cache) == Damage(altered=("",))

    @pytest.mark.parametrize(
        ("files", "expected"),
        [
            ({"data/a.csv": b"1", "data/sub/b.csv": b"22"}, Damage()),
            ({"data/a.csv": b"2", "data/sub/b.csv": b"33"}, Damage()),
            ({"data/a.csv": b"1", "data/sub/b.csv": b"2"}, Damage(altered=("sub/b.csv",))),
            ({"data/sub/b.csv": b"22"}, Damage(missing=("a.csv",))),
            ({"data/a.csv": b"1", "data/sub/b.csv": b"22", "data/c": b""}, Damage(added=("c",))),
            ({"data": b"122"}, Damage(missing=("a.csv", "sub/b.csv"), added=("",))),
            ({}, Damage(missing=("a.csv", "sub/b.csv"))),
        ],
        ids=["as recorded", "of the same size", "truncated", "missing", "added", "a file", "gone"],
    )
    def test_in_an_object_store_existence_and_size_have_to_do(
        self, manifest: Manifest, files: dict[str, bytes], expected: Damage
    ) -> None:
        store = ObjectStore(files)
        assert damage(manifest, store, "data", None) == expected
        assert store.opened == []

    def test_in_an_object_store_a_single_file_is_told_from_a_folder(self) -> None:
        manifest = Manifest.of("file", (FileEntry("", 1, digest_bytes(b"1")),))
        assert not damage(manifest, ObjectStore({"model": b"1", "model2": b"9"}), "model", None)
        gone = damage(manifest, ObjectStore({"model/weights": b"1"}), "model", None)
        assert gone == Damage(missing=("",), added=("weights",))

    def test_an_object_store_has_no_empty_folders(self) -> None:
        assert not damage(Manifest.of("directory", ()), ObjectStore({}), "empty", None)

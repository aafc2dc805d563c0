"""Transfers between stores of all kinds: what is copied, what is not, and what is refused."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from data.transfer.stores import PlainStore, content, tree
from mlsteps.cli.azurite import Azurite
from mlsteps.data.stores import FolderStore, Store
from mlsteps.data.stores.azure_quick import QuickRequests
from mlsteps.data.transfer import Progress, TransferStopped, transfer
from mlsteps.data.transfer.partials import Partial
from mlsteps.exceptions import DataNotFoundException, MlstepsException, UserErrorException
from mlsteps.launcher.digest import CHUNK_SIZE, digest_bytes
from mlsteps.reuse.digest_cache import DigestCache
from servers.azurite import azurite, blob_store

__all__ = ["azurite"]

KINDS = ["folder", "blob", "plain"]
FILES = {
    "a": b"1",
    "a-b": b"",
    "b/c": content(100_000),
    "b/d e/ﾃ": b"wide",
    "b/🎻.x": b"violin",
    "b/🎻/y": b"violins",
    "c/medium": content(2 * CHUNK_SIZE + 5),
    "d/large": content(5 * CHUNK_SIZE + 17),
    "z": b"last",
}

Make = Callable[[str], Store]


@pytest.fixture
def make(azurite: Azurite, tmp_path: Path) -> Make:
    """A function that makes a new, empty store of a kind."""
    made: list[Store] = []

    def make(kind: str) -> Store:
        folder = FolderStore(tmp_path / f"store-{len(made)}")
        store = (
            blob_store(azurite, "some/root")
            if kind == "blob"
            else PlainStore(folder)
            if kind == "plain"
            else folder
        )
        made.append(store)
        return store

    return make


def fill(store: Store, files: dict[str, bytes], below: str = "") -> None:
    for path, data in files.items():
        store.write(below + path, data)


@pytest.mark.parametrize("target_kind", KINDS)
@pytest.mark.parametrize("source_kind", KINDS)
def test_a_directory_is_copied_once(make: Make, source_kind: str, target_kind: str) -> None:
    source, target = make(source_kind), make(target_kind)
    fill(source, FILES, "in/")
    fill(target, {"out/extra": b"stays", "out/a": b"2"})
    done = transfer(source, "in", target, "out")
    assert tree(target, "out") == {**FILES, "extra": b"stays"}
    assert (done.kind, done.files, done.bytes) == ("directory", len(FILES), sum(map(len, FILES.values())))
    assert sum(done.verified.values()) == done.files
    again = transfer(source, "in", target, "out")
    assert (again.files, again.files_there, again.bytes_there) == (0, done.files, done.bytes)
    mirrored = transfer(source, "in", target, "out", mirror=True)
    assert (mirrored.files, mirrored.files_deleted) == (0, 1)
    assert tree(target, "out") == FILES


@pytest.mark.parametrize("target_kind", KINDS)
@pytest.mark.parametrize("source_kind", KINDS)
def test_a_file_is_copied_to_the_name_that_is_given(make: Make, source_kind: str, target_kind: str) -> None:
    source, target = make(source_kind), make(target_kind)
    fill(source, {"in/file": FILES["d/large"], "in/other": b""})
    done = transfer(source, "in/file", target, "out/renamed")
    assert (done.kind, done.files) == ("file", 1)
    assert tree(target) == {"out/renamed": FILES["d/large"]}
    assert transfer(source, "in/file", target, "out/renamed", kind="file").files_there == 1


@pytest.mark.parametrize("target_kind", KINDS)
@pytest.mark.parametrize("source_kind", KINDS)
def test_a_file_of_the_same_size_and_other_content_is_copied(
    make: Make, source_kind: str, target_kind: str
) -> None:
    source, target = make(source_kind), make(target_kind)
    fill(source, {"x": b"right", "y": b"right"})
    fill(target, {"x": b"wrong", "y": b"right"})
    done = transfer(source, "", target, "")
    assert (done.files, done.files_there) == (1, 1)
    assert tree(target) == {"x": b"right", "y": b"right"}


def test_files_that_differ_are_replaced_kept_or_refused(make: Make) -> None:
    source, target = make("folder"), make("blob")
    fill(source, {"a": b"new", "b": b"new"})
    fill(target, {"b": b"old"})
    with pytest.raises(UserErrorException, match=r"/b' exists and differs"):
        transfer(source, "", target, "", overwrite="refuse")
    assert tree(target) == {"b": b"old"}
    done = transfer(source, "", target, "", overwrite="keep")
    assert (done.files, done.files_kept) == (1, 1)
    assert tree(target) == {"a": b"new", "b": b"old"}
    transfer(source, "", target, "")
    assert tree(target) == {"a": b"new", "b": b"new"}
    assert transfer(source, "", target, "", overwrite="refuse").files_there == 2


def test_blobs_of_others_are_known_by_their_md5_or_read(make: Make) -> None:
    source, target = make("blob"), make("folder")
    source.write("makes/the/container", b"")
    source.delete("makes")
    for name, data in {"a": b"1", "b": FILES["d/large"]}.items():
        source.blob(name).upload_blob(data)  # type: ignore[attr-defined]
    source.blob("c").create_append_blob()  # type: ignore[attr-defined]
    source.blob("c").append_block(b"appended")  # type: ignore[attr-defined]
    assert transfer(source, "", target, "").verified == {"md5": 1, "written": 2}
    assert transfer(source, "", target, "").files_there == 3
    (target.local_path("c") or Path()).write_bytes(b"Appended")
    assert transfer(source, "", target, "").files == 1
    assert tree(target) == {"a": b"1", "b": FILES["d/large"], "c": b"appended"}


def test_a_digest_that_does_not_fit_what_came_is_an_error_and_leaves_nothing(make: Make) -> None:
    source, target = make("blob"), make("folder")
    for name in ("small", "large"):
        data = FILES["d/large"] if name == "large" else b"small"
        source.write(name, b"")
        source.blob(name).upload_blob(data, overwrite=True)  # type: ignore[attr-defined]
        source.blob(name).set_blob_metadata({"mlstepsdigest": digest_bytes(b"other")})  # type: ignore[attr-defined]
        with pytest.raises(MlstepsException, match=f"{name}.*digest that its store tells"):
            transfer(source, name, target, name)
    assert not list((target.local_path("") or Path()).iterdir())


def test_the_digest_cache_saves_reading_again(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = make("folder"), make("blob")
    fill(source, {"a": content(5_000_000), "b/c": content(100_000)})
    cache = DigestCache(tmp_path / "cache")
    transfer(source, "", target, "", cache=cache)
    time.sleep(2.1)
    assert transfer(source, "", target, "", cache=cache).files_there == 2
    monkeypatch.setattr("mlsteps.launcher.digest._hash_unit", None)
    assert transfer(source, "", target, "", cache=cache).files_there == 2


def test_a_source_that_changes_while_it_is_read_is_an_error_and_leaves_nothing(make: Make) -> None:
    for kind in KINDS:
        source, target = make("folder"), make(kind)
        fill(source, {"a/small": b"1", "a/large": content(6 * CHUNK_SIZE)})
        place = (source.local_path("a/large") or Path()).open("r+b")
        seen: list[int] = []

        def told(progress: Progress, place: object = place, seen: list[int] = seen) -> None:
            if progress.bytes > CHUNK_SIZE and not seen:
                seen.append(1)
                place.write(b"changed")  # type: ignore[attr-defined]
                place.flush()  # type: ignore[attr-defined]

        with pytest.raises(MlstepsException, match=r"a/large' changed while it was being copied"):
            transfer(source, "a", target, "b", told=told, parallel=1, bytes_per_second=4e7)
        place.close()
        assert "large" not in tree(target, "b")
        assert not _leftovers(target)
        transfer(source, "a", target, "b")
        assert tree(target, "b") == tree(source, "a")


def test_a_file_that_was_rewritten_since_it_was_listed_is_copied_as_it_is_now(make: Make) -> None:
    source, target = make("blob"), make("folder")
    fill(source, {f"{number:02}": b"old" for number in range(20)})
    seen: list[int] = []

    def told(progress: Progress) -> None:
        if not seen:
            seen.append(1)
            source.write("19", b"newer")

    transfer(source, "", target, "", told=told, parallel=1)
    assert target.read("19") == b"newer"

    def deleting(progress: Progress) -> None:
        source.delete("19")

    target.delete("")
    with pytest.raises(DataNotFoundException, match=r"19' was deleted while"):
        transfer(source, "", target, "", told=deleting, parallel=1)


def test_a_stopped_transfer_goes_on_at_the_piece_it_stopped_in(make: Make) -> None:
    for source_kind, target_kind in (("folder", "blob"), ("blob", "folder")):
        source, target = make(source_kind), make(target_kind)
        fill(source, {"large": content(12 * CHUNK_SIZE + 3)})
        moved: list[int] = []
        with pytest.raises(TransferStopped):
            transfer(
                source,
                "large",
                target,
                "copy",
                parallel=2,
                told=lambda progress, moved=moved: moved.append(progress.bytes),  # type: ignore[misc]
                stopped=lambda moved=moved: bool(moved) and moved[-1] >= 6 * CHUNK_SIZE,  # type: ignore[misc]
                bytes_per_second=60_000_000,
            )
        assert target.stat("copy") is None
        read: list[int] = []
        with pytest.MonkeyPatch.context() as patch:
            _count(patch, Partial, "put", read)
            _count(patch, QuickRequests, "put_block", read)
            transfer(source, "large", target, "copy")
        assert 1 <= len(read) <= 9
        assert tree(target) == {"copy": content(12 * CHUNK_SIZE + 3)}
        assert not _leftovers(target)


def _count(patch: pytest.MonkeyPatch, owner: type, name: str, calls: list[int]) -> None:
    kept = getattr(owner, name)

    def counting(*positional: object, **options: object) -> object:
        calls.append(1)
        return kept(*positional, **options)

    patch.setattr(owner, name, counting)


def test_what_a_partial_file_holds_is_checked_before_it_is_gone_on_with(make: Make) -> None:
    source, target = make("blob"), make("folder")
    data = content(12 * CHUNK_SIZE)
    fill(source, {"large": data})
    moved: list[int] = []
    with pytest.raises(TransferStopped):
        transfer(
            source,
            "large",
            target,
            "copy",
            parallel=2,
            told=lambda progress: moved.append(progress.bytes),
            stopped=lambda: bool(moved) and moved[-1] >= 6 * CHUNK_SIZE,
            bytes_per_second=60_000_000,
        )
    left = next(path for path in _leftovers(target) if ".00-" in path.name)
    with left.open("r+b") as file:
        file.write(b"damaged")
    transfer(source, "large", target, "copy")
    assert target.read("copy") == data


def test_leftovers_of_other_versions_are_cleared_away(make: Make) -> None:
    source, target = make("blob"), make("folder")
    fill(source, {"a/b": b"1", "large": b"2"})
    fill(target, {"a/b": b"1"})
    root = target.local_path("") or Path()
    for name in (".gone.00-0123456789ab.tmp", ".gone.01-0123456789ab.tmp", "a/.b.00-0123456789ab.tmp"):
        (root / name).write_bytes(b"left")
    transfer(source, "", target, "")
    assert sorted(os.listdir(root)) == ["a", "large"]
    assert os.listdir(root / "a") == ["b"]


def test_mirroring_deletes_nothing_when_copying_fails(make: Make) -> None:
    source, target = make("folder"), make("folder")
    fill(source, {"a": b"1", "b": b"2"})
    fill(target, {"extra": b"3"})
    with pytest.raises(TransferStopped):
        transfer(source, "", target, "", mirror=True, stopped=lambda: bool(target.stat("a")), parallel=1)
    assert target.read("extra") == b"3"


def test_mirroring_changes_files_into_folders_and_back(make: Make) -> None:
    for source_kind, target_kind in (("folder", "folder"), ("folder", "blob"), ("blob", "folder")):
        source, target = make(source_kind), make(target_kind)
        fill(source, {"a/b": b"1", "c": b"2", "d/e/f": b"3"})
        fill(target, {"a": b"4", "c/d": b"5", "d/e/g/h": b"6"})
        if target_kind == "folder":
            with pytest.raises(UserErrorException, match="has to be a f"):
                transfer(source, "", target, "")
        transfer(source, "", target, "", mirror=True)
        assert tree(target) == {"a/b": b"1", "c": b"2", "d/e/f": b"3"}
        if target_kind == "folder":
            assert not (target.local_path("d/e/g") or Path()).exists()


def test_names_that_stores_sort_differently_are_neither_copied_twice_nor_deleted(make: Make) -> None:
    for source_kind, target_kind in (("folder", "blob"), ("blob", "folder"), ("blob", "blob")):
        source, target = make(source_kind), make(target_kind)
        names = ["ﾃ", "🎻", "x/ﾃ", "x/🎻", "x/🎻/a", "x/ﾃa", "y", "\ud7ff", "\ue000"]
        if "folder" in (source_kind, target_kind):
            names.remove("x/🎻")
        fill(source, {name: name.encode() for name in names})
        for mirror in (False, True, True):
            done = transfer(source, "", target, "", mirror=mirror)
            assert done.files_deleted == 0
        assert done.files == 0
        assert tree(target) == {name: name.encode() for name in names}


def test_progress_ends_at_everything_and_knows_the_total(make: Make) -> None:
    source, target = make("folder"), make("blob")
    fill(source, FILES)
    seen: list[Progress] = []
    transfer(source, "", target, "", told=seen.append)
    size = sum(map(len, FILES.values()))
    assert (
        (seen[-1].files, seen[-1].bytes) == (seen[-1].total_files, seen[-1].total_bytes) == (len(FILES), size)
    )
    seen.clear()
    transfer(source, "", target, "", told=seen.append)
    assert (seen[-1].files, seen[-1].bytes, seen[-1].rate) == (len(FILES), size, None)


def test_the_bandwidth_is_limited(make: Make) -> None:
    for source_kind, target_kind in (("folder", "blob"), ("blob", "folder")):
        source, target = make(source_kind), make(target_kind)
        fill(source, {str(number): content(500_000, bytes([number])) for number in range(8)})
        assert transfer(source, "", target, "", bytes_per_second=4_000_000).seconds > 0.9


def test_random_trees_end_up_equal(make: Make) -> None:
    rng = random.Random(7)
    stores = [make(kind) for kind in ("folder", "blob", "folder", "plain")]
    for _ in range(25):
        source, target = rng.sample(stores, 2)
        for _ in range(rng.randrange(6)):
            path = "/".join(rng.choice(["p", "q", "r"]) + str(depth) for depth in range(rng.randrange(1, 4)))
            path += rng.choice([".x", "-y", "é"])
            rng.choice((source, target)).write(path, rng.choice([b"", b"1", b"2", b"333"]))
        mirror = rng.random() < 0.5
        before, here = tree(target), tree(source)
        transfer(source, "", target, "", mirror=mirror, kind="directory") if here else None
        assert tree(target) == ({**({} if mirror else before), **here} if here else before)


def _leftovers(store: Store) -> list[Path]:
    root = store.local_path("")
    return [path for path in root.rglob(".*") if path.is_file()] if root else []

"""Inputs on a store elsewhere: fetched once for all that read the same, and never given altered."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlsteps.cli.azurite import Azurite
from mlsteps.compute import JobInput
from mlsteps.compute.input_cache import InputCache
from mlsteps.compute.staging import stage_input
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.exceptions import DatastoreException
from servers.azurite import azurite, blob_store

__all__ = ["azurite"]

PLENTY = 10**9


class Counting(AzureBlobStore):
    """Counts what is fetched of it."""

    fetched: Counter[str]

    def get_file(self, path: str, target: Path) -> None:
        self.fetched[path] += 1
        super().get_file(path, target)


@pytest.fixture
def store(azurite: Azurite) -> Counting:
    plain = blob_store(azurite)
    counting = Counting(plain.account, plain.container, create_if_not_exists=True)
    counting.fetched = Counter()
    return counting


@pytest.fixture
def cache(tmp_path: Path) -> InputCache:
    return InputCache(tmp_path / "cache", PLENTY)


@pytest.fixture
def stage(store: Counting, cache: InputCache, tmp_path: Path) -> Callable[..., Path]:
    """Stages ``path`` for a step of its own; returns where."""
    told: list[str] = []

    def stage_for(step: str, path: str, mode: str = "mount", into: InputCache = cache) -> Path:
        target = tmp_path / step / Path(path).name
        port = JobInput("data", "$data", "DATA", store, path, mode)
        stage_input(port, target, into, told.append)
        assert told.pop().startswith("Input data: ")
        return target

    return stage_for


def tree(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_a_folder_is_fetched_once_for_two_steps(store: Counting, stage: Callable[..., Path]) -> None:
    files = {"a.csv": b"a", "sub/b.csv": b"b", "sub/deep/c.csv": b"c" * 100_000, "empty": b""}
    for name, data in files.items():
        store.write(f"raw/{name}", data)
    store.write("raw2/other", b"")
    assert tree(stage("one", "raw")) == files
    assert tree(stage("two", "raw")) == files
    assert store.fetched == Counter({f"raw/{name}": 1 for name in files})


def test_a_file_is_staged_as_a_file(store: Counting, stage: Callable[..., Path]) -> None:
    store.write("raw/a.csv", b"a")
    assert stage("one", "raw/a.csv").read_bytes() == b"a"


def test_equal_files_at_other_places_are_not_fetched_again(
    store: Counting, stage: Callable[..., Path]
) -> None:
    store.write("one/a", b"the same")
    store.write("two/b", b"the same")
    stage("one", "one")
    assert tree(stage("two", "two")) == {"b": b"the same"}
    assert sum(store.fetched.values()) == 1


def test_a_file_that_was_replaced_is_fetched_anew(store: Counting, stage: Callable[..., Path]) -> None:
    store.write("raw", b"before")
    stage("one", "raw")
    store.write("raw", b"after!")
    assert stage("two", "raw").read_bytes() == b"after!"


def test_a_mount_is_read_only_and_a_download_is_the_steps_own(
    store: Counting, stage: Callable[..., Path]
) -> None:
    store.write("raw", b"as it was")
    mounted, own = stage("one", "raw"), stage("two", "raw", "download")
    assert mounted.stat().st_mode & 0o222 == 0
    own.write_bytes(b"written to")
    assert stage("three", "raw").read_bytes() == b"as it was"
    assert sum(store.fetched.values()) == 1


def test_a_file_that_somebody_wrote_through_a_link_is_fetched_anew(
    store: Counting, stage: Callable[..., Path]
) -> None:
    store.write("raw", b"as it was")
    mounted = stage("one", "raw")
    mounted.chmod(0o644)
    mounted.write_bytes(b"as it is!")  # of the same size
    assert stage("two", "raw").read_bytes() == b"as it was"


def test_what_is_longest_unused_is_dropped_when_there_is_too_much(
    store: Counting, stage: Callable[..., Path], tmp_path: Path
) -> None:
    small = InputCache(tmp_path / "small", 2500)
    for number in range(4):
        store.write(f"raw/{number}", bytes([number]) * 1000)
    for number in (0, 1, 0, 2):
        stage(f"step-{number}-{len(store.fetched)}", f"raw/{number}", into=small).unlink()
    assert store.fetched == Counter({"raw/0": 1, "raw/1": 1, "raw/2": 1})
    stage("again-0", "raw/0", into=small)
    stage("again-1", "raw/1", into=small)
    assert store.fetched == Counter({"raw/0": 1, "raw/1": 2, "raw/2": 1})
    large = InputCache(tmp_path / "tiny", 10)
    assert stage("too-large", "raw/3", into=large).read_bytes() == b"\x03" * 1000
    assert not (tmp_path / "tiny" / "files").exists()


def test_a_file_that_changes_while_it_is_fetched_is_an_error(
    store: Counting, cache: InputCache, tmp_path: Path
) -> None:
    store.write("raw", b"as listed")
    info = store.stat("raw")
    assert info is not None
    store.write("raw", b"as it came")
    with pytest.raises(DatastoreException, match="changed while it was being fetched"):
        cache.fetch(store, info, tmp_path / "target", writable=False)
    assert not (tmp_path / "target").exists()
    assert tree(tmp_path / "cache" / "files") == {}


def test_many_steps_at_once_fetch_a_file_once(store: Counting, stage: Callable[..., Path]) -> None:
    store.write("raw", os.urandom(3_000_000))
    expected = store.read("raw")
    with ThreadPoolExecutor(8) as pool:
        staged = list(pool.map(lambda n: stage_quietly(stage, n), range(8)))
    assert all(place.read_bytes() == expected for place in staged)
    assert store.fetched == Counter({"raw": 1})


def stage_quietly(stage: Callable[..., Path], number: int) -> Path:
    return stage(f"step-{number}", "raw")

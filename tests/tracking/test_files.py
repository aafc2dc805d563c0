"""Files of a store laid out for MLflow, and notes on a store that is no folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlsteps.cli.azurite import Azurite
from mlsteps.data.stores import FolderStore, Store
from mlsteps.tracking.files import lay_out
from mlsteps.tracking.unsent import noted, taken
from servers.azurite import azurite, blob_store

__all__ = ["azurite"]


@pytest.fixture(params=["folder", "blobs"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "store")
    else:
        server: Azurite = request.getfixturevalue("azurite")
        yield blob_store(server)


def later() -> float:
    return time.monotonic() + 60


def test_files_are_there_but_for_those_that_are_too_large(store: Store, tmp_path: Path) -> None:
    store.write("try/files/outputs/net/a.txt", b"a")
    store.write("try/files/outputs/net/large.bin", b"x" * 100)
    store.write("try/files/plot.png", b"p")
    there = lay_out(store, "try/files", tmp_path / "laid", 10, later())
    found = {path.relative_to(there.folder).as_posix() for path in there.folder.rglob("*") if path.is_file()}
    assert found == {"outputs/net/a.txt", "plot.png"}
    assert (there.folder / "outputs/net/a.txt").read_bytes() == b"a"
    assert there.left == {"outputs/net/large.bin": store.url("try/files/outputs/net/large.bin")}
    assert there.has("plot.png") and there.has("outputs/net/a.txt")
    assert not there.has("outputs/net") and not there.has("outputs/net/large.bin") and not there.has("gone")


def test_a_single_file_has_the_name_that_it_is_given(store: Store, tmp_path: Path) -> None:
    store.write("models/1/weights.bin", b"w")
    there = lay_out(store, "models/1/weights.bin", tmp_path / "laid", 10, later(), below="weights.bin")
    assert (there.folder / "weights.bin").read_bytes() == b"w" and there.has("weights.bin")


def test_what_cannot_be_laid_out_in_time_is_left(store: Store, tmp_path: Path) -> None:
    store.write("files/a", b"a")
    there = lay_out(store, "files", tmp_path / "laid", 10, time.monotonic() - 1)
    assert set(there.left) == {"a"} and not there.has("a") and not there.folder.exists()


def test_notes_are_taken_and_done_with(store: Store) -> None:
    assert list(taken(store)) == []
    noted(store, "a", ["x"]).failed()
    (note,) = taken(store)
    assert note.folders == ("x",) and list(taken(store)) == []
    note.done()
    assert list(taken(store)) == []

"""Files whose names lead out of the folder that they would be copied to: each way of copying refuses them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlsteps import Dataset, Datastore, Workspace
from mlsteps.cli.azurite import Azurite
from mlsteps.compute import JobInput
from mlsteps.compute.input_cache import InputCache
from mlsteps.compute.staged import StagingArea
from mlsteps.compute.staged.inputs import signed_input
from mlsteps.compute.staging import stage_input
from mlsteps.data.datastore import copy_to_folder
from mlsteps.data.local_paths import path_below
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.exceptions import UserErrorException
from servers.azurite import azurite, blob_store, put_named

__all__ = ["azurite"]


@pytest.mark.parametrize("name", ["../x", "a/../../x", "..", "/etc/x", "a/\0", "\ud800"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserErrorException, match="^The file cannot be a file of a folder"):
        path_below(tmp_path, name, "The file")


@pytest.mark.parametrize("name", ["", "x", "a/b", "..x", "a..b/c..", "a\\b", "ä/\udcff"])
def test_any_other_name_is_below_the_folder(tmp_path: Path, name: str) -> None:
    assert path_below(tmp_path, name, "The file").is_relative_to(tmp_path)


@pytest.fixture
def evil(azurite: Azurite) -> AzureBlobStore:
    """A store with a blob that Azure takes, and that is no file."""
    store = blob_store(azurite)
    store.write("data/a.txt", b"abc")
    assert put_named(store, "data/../../planted.txt", b"x") == 201
    assert "data/../../planted.txt" in [info.path for info in store.list("data")]
    return store


def test_every_way_to_copy_names_the_blob_and_writes_nothing(
    evil: AzureBlobStore, datastore: Datastore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = JobInput("source", "$in", "IN", evil, "data", "mount")
    area = StagingArea.of_job(evil, "job")
    files = list(evil.list("data"))

    def tell(line: str) -> None:
        raise AssertionError(line)

    target = tmp_path / "a" / "b"
    ways: dict[str, Callable[[], object]] = {
        "input": lambda: stage_input(port, target, InputCache(tmp_path / "cache", 1 << 20), tell),
        "signed": lambda: signed_input(port, "/there", area.store, area.place(60), 60, tell),
        "download": lambda: copy_to_folder(
            evil, files, target, overwrite=True, show_progress=False, label="blobs"
        ),
    }
    for name, way in ways.items():
        with pytest.raises(UserErrorException, match=r"'data/\.\./\.\./planted\.txt'"):
            pytest.fail(f"{name}: {way()}")
    monkeypatch.setattr(Workspace, "open_store", lambda *_: evil)
    with pytest.raises(UserErrorException, match=r"'data/\.\./\.\./planted\.txt'"):
        Dataset.File.from_files((datastore, "data")).download(str(target))
    assert not list(tmp_path.rglob("planted.txt")) and not list(tmp_path.rglob("a.txt"))

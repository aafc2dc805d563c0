"""Transfers over a network that fails, and killed at any moment: the tree is exact, or it is an error."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from data.transfer.stores import blobs_of, content, fill, tree
from data.transfer.watching import readers
from mlsteps.cli.azurite import Azurite
from mlsteps.data.stores import FolderStore, Store
from mlsteps.data.stores.azure_account import RetryLimits
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.data.transfer import transfer
from mlsteps.exceptions import DatastoreException
from mlsteps.launcher.digest import CHUNK_SIZE
from processes import start
from servers.azurite import azurite
from servers.faults import FAULTS, Fault, FaultyProxy

__all__ = ["azurite"]

pytestmark = pytest.mark.slow

PATIENT = RetryLimits(attempts=6, pause=0.005, connect=2, read=0.4)
OLD = {"a": b"old", "b/c": b"stays", "large": b"before"}
NEW = {
    "a": b"new",
    "b/c": b"stays",
    "b/d": content(70_000),
    "large": content(4 * CHUNK_SIZE + 100),
    "z": b"",
}


class Scene:
    """A source with what is new, and a way to a new destination that has what is old."""

    def __init__(self, kind: str, azurite: Azurite, proxy: FaultyProxy, folder: Path) -> None:
        direct = blobs_of(azurite.connection_string)
        faulty = blobs_of(proxy.through(azurite.connection_string), PATIENT)
        faulty.container = direct.container
        files = FolderStore(folder)
        self.source: Store = files if kind == "upload" else faulty
        self.target: Store = files if kind == "download" else faulty
        self.checked: Store = files if kind == "download" else direct
        fill(files if kind == "upload" else direct, NEW, "in")

    def run(self) -> None:
        """One transfer, which has to succeed."""
        self.checked.delete("out")
        fill(self.checked, {**OLD, "extra": b"goes"}, "out")
        transfer(self.source, "in", self.target, "out", mirror=True, parallel=4)
        assert tree(self.checked, "out") == NEW


@pytest.mark.parametrize("kind", ["upload", "download", "copy"])
def test_whatever_fails_at_any_request_the_tree_is_exact(kind: str, azurite: Azurite, tmp_path: Path) -> None:
    with FaultyProxy(azurite.url, stalls=0.6) as proxy:
        scene = Scene(kind, azurite, proxy, tmp_path)
        scene.run()
        count = len(proxy.requests)
        for number in range(1, count + 1):
            for fault in FAULTS if number % 5 == 1 else random.Random(number).sample(FAULTS[:-1], 2):
                proxy.requests.clear()
                proxy.fault = lambda at, line, number=number, fault=fault: fault if at == number else None  # type: ignore[misc]
                scene.run()
        assert len(proxy.injected) > 2.5 * count > 25


@pytest.mark.parametrize("kind", ["upload", "download", "copy"])
def test_many_failures_at_random(kind: str, azurite: Azurite, tmp_path: Path) -> None:
    rng = random.Random(kind)
    with FaultyProxy(azurite.url, stalls=0.6) as proxy:
        scene = Scene(kind, azurite, proxy, tmp_path)
        weights = [4, 4, 4, 4, 4, 4, 1]

        def some(number: int, line: str) -> Fault | None:
            return rng.choices(FAULTS, weights)[0] if rng.random() < 0.25 else None

        proxy.fault = some
        with readers(scene.checked, "out", OLD, NEW):
            while len(proxy.injected) < 70:
                scene.run()
        assert not [path for path in tmp_path.rglob("*.tmp")]


def test_a_service_that_stays_away_is_an_error_that_comes_soon(azurite: Azurite, tmp_path: Path) -> None:
    with FaultyProxy(azurite.url, lambda number, line: "busy" if number > 3 else None) as proxy:
        scene = Scene("upload", azurite, proxy, tmp_path)
        with pytest.raises(DatastoreException, match="503|ServerBusy"):
            transfer(scene.source, "in", scene.target, "out")


KILLED = """
import sys
from azure.storage.blob import BlobServiceClient
from mlsteps.data.stores import FolderStore
from mlsteps.data.stores.azure_account import AzureAccount
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.data.transfer import transfer
text = sys.stdin.readline().strip()
account = AzureAccount(lambda options: BlobServiceClient.from_connection_string(text, **options), "a test")
def opened(place):
    kind, name = place.split(":", 1)
    return FolderStore(name) if kind == "folder" else AzureBlobStore(account, name, "root")
print("ready", flush=True)
transfer(opened(sys.argv[1]), "in", opened(sys.argv[2]), "out", mirror=True, parallel=4, bytes_per_second=8e7)
print("done")
"""


@pytest.mark.parametrize("kind", ["upload", "download", "copy"])
def test_killed_at_any_moment_and_run_again_the_tree_is_exact(
    kind: str, azurite: Azurite, tmp_path: Path
) -> None:
    rng = random.Random(kind)
    files, blobs = FolderStore(tmp_path), blobs_of(azurite.connection_string)
    blobs.write("makes the container", b"")
    source: Store = files if kind == "upload" else blobs
    target: Store = files if kind == "download" else blobs
    places = [_place(store) for store in (source, target)]
    fill(source, NEW, "in")
    fill(target, {**OLD, "extra": b"goes"}, "out")
    killed = 0
    with readers(target, "out", OLD, NEW):
        for _ in range(6):
            process = start(KILLED, *places)
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(azurite.connection_string + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0, 0.05 if kind == "copy" else 0.5))
            process.kill()
            if "done" not in process.communicate()[0]:
                killed += 1
            else:
                target.delete("out")
                fill(target, {**OLD, "extra": b"goes"}, "out")
    assert killed
    transfer(source, "in", target, "out", mirror=True)
    assert tree(target, "out") == NEW
    assert not [path for path in tmp_path.rglob("*.tmp")]


def _place(store: Store) -> str:
    return f"blob:{store.container}" if isinstance(store, AzureBlobStore) else f"folder:{store.url('')}"

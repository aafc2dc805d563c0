"""Requests that transfers make without the SDK: what they keep."""

from __future__ import annotations

from pathlib import Path

from data.transfer.stores import blobs_of, content, fill, tree
from mlsteps.cli.azurite import Azurite
from mlsteps.data.stores import FolderStore
from mlsteps.data.transfer import transfer
from mlsteps.launcher.digest import CHUNK_SIZE
from servers.azurite import azurite
from servers.faults import FaultyProxy

__all__ = ["azurite"]


def test_each_thread_of_a_transfer_has_one_connection(azurite: Azurite, tmp_path: Path) -> None:
    files = {f"small/{number}": content(1000 + number) for number in range(30)}
    files["large"] = content(9 * CHUNK_SIZE)
    there, local = blobs_of(azurite.connection_string), FolderStore(tmp_path)
    fill(there, files, "in")
    with FaultyProxy(azurite.url) as proxy:
        store = blobs_of(proxy.through(azurite.connection_string))
        store.container = there.container
        transfer(store, "in", local, "in", parallel=3)
        assert tree(local, "in") == files
        assert len(proxy.requests) > len(files)
        # Those who look at what is there before files are copied use the SDK's.
        assert proxy.connections <= 3 + 1

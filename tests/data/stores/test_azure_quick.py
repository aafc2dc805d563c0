"""Requests that transfers make without the SDK: what they keep."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from urllib.parse import quote

import pytest

from data.transfer.stores import blobs_of, content, fill, tree
from mlsteps.cli.azurite import Azurite
from mlsteps.data.stores import FolderStore
from mlsteps.data.stores.azure_listing import list_blobs
from mlsteps.data.transfer import transfer
from mlsteps.exceptions import DatastoreException
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


def test_an_accounts_key_signs_every_request_and_no_address_holds_a_signature(azurite: Azurite) -> None:
    name = "a b+c~d/%41&=?#(ä)'/🎻.txt"
    data = content(70_000)
    with FaultyProxy(azurite.url) as proxy:
        store = blobs_of(proxy.through(azurite.connection_string))
        store.container_client.create_container()
        quick = store.quick
        assert quick is not None
        assert quick.put(name, data, {"mark": "x y"})
        assert quick.put(f"{name}.empty", b"", {})
        found = list(list_blobs(store, name))
        assert [(info.path, info.size) for info in found] == [(name, len(data)), (f"{name}.empty", 0)]
        assert [bytes(part) for part in quick.pieces(name, found[0], 10, 100, 60)] == [
            data[10:70],
            data[70:110],
        ]
        assert quick.put_block(
            f"{name}.blocks", "00000-+/=", [data[:9], data[9:]], 70_000, hashlib.md5(data).digest()
        )
        assert (
            store.container_client.get_blob_client(f"{name}.blocks").get_block_list("all")[1][0].size
            == 70_000
        )
        address = f"{azurite.url}/{store.container}/{quote(name)}?{store.signer.container(store.container)}"
        assert quick.copy(f"{name}.copy", address, str(found[0].version))
        assert not quick.copy(f"{name}.copy", address, "0xOTHER"), "another version is not copied"
        assert len(proxy.requests) == 9 and not any("sig=" in line for line in proxy.requests)


def test_a_key_that_is_no_longer_the_accounts_is_refused_and_said_so(azurite: Azurite) -> None:
    wrong = azurite.connection_string.replace(azurite._key, base64.b64encode(bytes(64)).decode())
    store = blobs_of(wrong)
    assert store.quick is not None and not store.quick.put("a", b"1", {})
    with pytest.raises(DatastoreException, match="AuthorizationFailure|AuthenticationFailed") as caught:
        list(store.list())
    assert "the test's account" in str(caught.value)

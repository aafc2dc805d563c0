"""Large files on their way to a blob: in larger blocks, hashed before they are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from data.transfer.stores import blobs_of, content
from mlsteps.cli.azurite import Azurite
from mlsteps.data.stores import FolderStore, azure_blocks
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.data.stores.azure_quick import QuickRequests
from mlsteps.data.stores.buffers import Data
from mlsteps.data.transfer import transfer
from mlsteps.data.transfer.readers import SourceChanged
from mlsteps.launcher.digest import CHUNK_SIZE, digest_bytes
from servers.azurite import azurite

__all__ = ["azurite"]

DATA = content(9 * CHUNK_SIZE + 7)

Watch = Callable[[int], bool]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    """A file that counts as large."""
    monkeypatch.setattr(azure_blocks, "_LARGER", 8 * CHUNK_SIZE)
    (tmp_path / "large").write_bytes(DATA)
    return FolderStore(tmp_path)


@pytest.fixture
def target(azurite: Azurite) -> AzureBlobStore:
    return blobs_of(azurite.connection_string)


def watch(monkeypatch: pytest.MonkeyPatch, before: Watch) -> list[int]:
    """The lengths of all blocks; sends those that ``before`` agrees to, and fails with the others."""
    sent: list[int] = []
    put_block = QuickRequests.put_block

    def put(
        self: QuickRequests, name: str, block: str, parts: Iterable[Data], length: int, md5: bytes
    ) -> bool:
        sent.append(length)
        return before(len(sent)) and put_block(self, name, block, parts, length, md5)

    monkeypatch.setattr(QuickRequests, "put_block", put)
    return sent


def stands(target: AzureBlobStore) -> None:
    found = target.stat("large")
    assert found is not None and found.content == digest_bytes(DATA)
    assert target.read("large") == DATA


def test_a_large_file_goes_in_larger_blocks(
    source: FolderStore, target: AzureBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = watch(monkeypatch, lambda number: True)
    done = transfer(source, "large", target, "large", parallel=3)
    assert sorted(sent) == [CHUNK_SIZE + 7, *[2 * CHUNK_SIZE] * 4]
    assert done.verified == {"service": 1}
    stands(target)


def test_a_block_that_was_not_taken_is_read_and_sent_once_more(
    source: FolderStore, target: AzureBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch(monkeypatch, lambda number: number % 2 == 0)
    transfer(source, "large", target, "large", parallel=3)
    stands(target)


@pytest.mark.parametrize("taken", [True, False])
def test_a_block_that_is_written_to_after_it_was_hashed_is_never_taken(
    source: FolderStore, target: AzureBlobStore, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    target.write("large", b"old")

    def writing(number: int) -> bool:
        with (source.root / "large").open("r+b") as file:
            file.write(b"changed")
        return taken

    watch(monkeypatch, writing)
    with pytest.raises(SourceChanged, match="large' changed while it was being copied"):
        transfer(source, "large", target, "large", parallel=1)
    assert target.read("large") == b"old"

"""A file of a destination, written by pieces and visible when it is whole."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.data.stores.azure_blocks import BlockIds, block_length, commit_blocks, upload_bytes
from mlsteps.data.stores.buffers import Data
from mlsteps.data.transfer.chunk_hashes import ChunkHashes
from mlsteps.data.transfer.partials import Partial
from mlsteps.data.transfer.readers import Reader
from mlsteps.exceptions import UserErrorException
from mlsteps.launcher.digest import CHUNK_SIZE, chunk_hashes
from mlsteps.launcher.remote import DIGEST_KEY

# From here on a copy that was interrupted is gone on with, and all threads work on one file.
LARGE = 4 * CHUNK_SIZE
# What has just arrived is hashed, written and sent while it is in the processor's cache.
PART = 1024 * 1024


class Writer(ABC):
    """What arrives of a file, from any thread.

    :param length: Bytes of a piece.
    """

    length: int

    part: int | None = None
    """How many bytes of a piece it likes to take at a time; None for all of them."""

    checked = "written"
    """How what arrives is compared, where the source's content is not known."""

    @abstractmethod
    def there(self, number: int) -> list[bytes] | None:
        """The hashes of the chunks of a piece that arrived in an earlier try; None if it is to be sent."""

    @abstractmethod
    def put(self, number: int, parts: Iterator[Data]) -> list[bytes]:
        """Write a piece, of which it takes the parts; returns the hashes of its chunks."""

    @abstractmethod
    def commit(self, digest: str) -> None:
        """Make it visible: all has arrived, and is what it should be."""

    reads_back = False
    """Whether `read_back` works, and costs little."""

    def read_back(self, number: int) -> bytes:
        """A piece as it arrived."""
        raise NotImplementedError

    def close(self, discard: bool = False) -> None:  # noqa: B027 - most have nothing to close
        """Let go of it.

        :param discard: What has arrived is of no use for a next try.
        """


class FolderWriter(Writer):
    """Writes to a file on this machine.

    :param version: Of the source; what is left of another version is not gone on with.
    """

    reads_back = True
    part = PART

    def __init__(self, target: Path, version: str, size: int, length: int) -> None:
        self._target = target
        self.length = length
        try:
            self._partial = Partial(target, version, size, length, resumable=size > LARGE)
        except (FileExistsError, NotADirectoryError) as error:
            raise UserErrorException(
                f"{str(target)!r} cannot be written: {error.filename!r} is a file, and has to be a folder. "
                f"Delete it, or mirror the source."
            ) from None

    def there(self, number: int) -> list[bytes] | None:
        return self._partial.there(number)

    def put(self, number: int, parts: Iterator[Data]) -> list[bytes]:
        return self._partial.put(number, parts)

    def read_back(self, number: int) -> bytes:
        return self._partial.read(number)

    def commit(self, digest: str) -> None:
        try:
            self._partial.commit()
        except IsADirectoryError:
            raise UserErrorException(
                f"{str(self._target)!r} cannot be written: it is a folder, and has to be a file. Delete it, "
                f"or mirror the source."
            ) from None

    def close(self, discard: bool = False) -> None:
        self._partial.close(discard)


class BlobWriter(Writer):
    """Writes to a blob: a small one by one request, others by blocks that are there for the next try.

    :param hashing: Held while a block is read and hashed.
    """

    checked = "service"

    def __init__(
        self, store: AzureBlobStore, path: str, source: Reader, hashing: AbstractContextManager[object]
    ) -> None:
        self._store = store
        self._path = path
        self._source = source
        self._hashing = hashing
        self.length = block_length(source.size, streamed=source.again)
        self._single: Data | None = b"" if source.size <= CHUNK_SIZE else None
        if self._single is None and source.again:
            self.part = PART
        self._names: dict[int, str] = {}
        if self._single is None:
            self._blob = store.blob(path)
            with store.telling("Looking at", path):
                self._ids = BlockIds(self._blob)

    def there(self, number: int) -> list[bytes] | None:
        return None  # only who has the piece can tell: blocks are named by their content

    def put(self, number: int, parts: Iterator[Data]) -> list[bytes]:
        if self._single is not None:
            self._single = next(parts)
            return chunk_hashes(self._single)
        chunks, md5 = ChunkHashes(), hashlib.md5(usedforsecurity=False)
        left = size = min(self.length, self._source.size - number * self.length)
        data: Data = b""
        with self._hashing if self._source.again else nullcontext():  # else most of it is waiting
            while left > 0:
                data = next(parts)
                chunks.add(data)
                md5.update(data)
                left -= len(data)
        hashes = chunks.all()
        name = self._names[number] = self._ids.of(number, hashes)
        if not self._ids.is_there(name, size):
            whole = data if len(data) == size else None
            self._send(name, hashes, md5.digest(), whole, number * self.length, size)
        return hashes

    def _send(
        self, name: str, hashes: list[bytes], md5: bytes, whole: Data | None, start: int, size: int
    ) -> None:
        """Send a block: what is at hand of it, or what is read once more."""
        store, path, read = self._store, self._path, self._source.read
        parts = read(start, size, PART) if whole is None else iter([whole])
        if store.quick and store.quick.put_block(store.name(path), name, parts, size, md5):
            return
        data = bytes(next(read(start, size, size)) if whole is None else whole)
        if chunk_hashes(data) != hashes:
            raise self._source.changed()
        store.writing(path, lambda: self._blob.stage_block(name, data, validate_content=True))

    def commit(self, digest: str) -> None:
        store, path, metadata = self._store, self._path, {DIGEST_KEY: digest}
        data = self._single
        if data is None:
            names = [self._names[number] for number in sorted(self._names)]
            store.writing(path, lambda: commit_blocks(self._blob, names, metadata))
        elif not (store.quick and store.quick.put(store.name(path), data, metadata)):
            store.writing(path, lambda: upload_bytes(store.blob(path), bytes(data), lambda _: metadata))

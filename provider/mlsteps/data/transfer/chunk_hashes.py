"""The hashes of a file's chunks, of bytes that come part by part."""

from __future__ import annotations

import hashlib

from mlsteps.data.stores.buffers import Data
from mlsteps.launcher.digest import CHUNK_SIZE


class ChunkHashes:
    """Takes what follows each other from the beginning of a chunk on."""

    def __init__(self) -> None:
        self._done: list[bytes] = []
        self._open = hashlib.sha256()
        self._left = CHUNK_SIZE

    def add(self, data: Data) -> None:
        """Take the next part, of any length."""
        view = memoryview(data)
        while view:
            part = view[: self._left]
            self._open.update(part)
            self._left -= len(part)
            view = view[len(part) :]
            if not self._left:
                self._end()

    def all(self) -> list[bytes]:
        """The SHA-256 of each chunk, of which the last may be shorter; there is no more to come."""
        if self._left < CHUNK_SIZE:
            self._end()
        return self._done

    def _end(self) -> None:
        self._done.append(self._open.digest())
        self._open, self._left = hashlib.sha256(), CHUNK_SIZE

"""Sends files to a store, each read once: hashed, in blocks where that is possible, several at a time."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

from mlsteps.launcher.digest import CHUNK_SIZE, FileDigest, changed_meanwhile, chunk_hashes
from mlsteps.launcher.manifest import FileEntry
from mlsteps.launcher.parallel import by_threads
from mlsteps.launcher.remote import block_name, writer_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mlsteps.launcher.places import Place
    from mlsteps.launcher.web import Web

_SMALL = 2 * CHUNK_SIZE
_MOST_BLOCKS = 50_000  # what Azure takes for one blob
_PIECE = 1024 * 1024


def send_files(
    files: Iterable[tuple[str, str, Place]], web: Web, told: Callable[[int], None]
) -> list[FileEntry]:
    """Send files and return what was sent.

    Args:
        files: Path in the manifest, path on the disk, and where to, of each.
        web: Makes the requests.
        told: Called with a number of bytes when they have arrived, from any thread.

    Raises:
        MlstepsException: One was refused, changed meanwhile, or the store cannot be reached.
        Cancelled: The work was given up.
        OSError: One cannot be read.
    """
    leaving = (_Leaving(path, source, place, web, told) for path, source, place in files)
    parts = ((file, start) for file in leaving for start in file.parts())
    sent = by_threads(lambda part: part[0].send(part[1]), parts, web.limits.threads)
    return [entry for entry in sent if entry is not None]


class _Leaving:
    """A file that is being sent."""

    def __init__(self, path: str, source: str, place: Place, web: Web, told: Callable[[int], None]) -> None:
        self._path, self._source, self._place = path, source, place
        self._web, self._told = web, told
        self._writer = writer_for(place)
        self._size = os.stat(source).st_size
        self._block = CHUNK_SIZE * max(2, -(-self._size // (CHUNK_SIZE * _MOST_BLOCKS)))
        self._sent: dict[int, tuple[str, list[bytes]]] = {}
        self._lock = threading.Lock()

    def parts(self) -> Iterator[int]:
        """Where each part of it begins that is sent by itself."""
        if self._size <= _SMALL or not self._writer.takes_blocks:
            yield 0
        else:
            yield from range(0, self._size, self._block)

    def send(self, start: int) -> FileEntry | None:
        """Send a part; what the file is, if it was the last one."""
        if self._size <= _SMALL:
            hashed = self._send_whole()
        elif not self._writer.takes_blocks:
            hashed = self._send_stream()
        else:
            length = min(self._block, self._size - start)
            data = self._read(start, length)
            chunks = chunk_hashes(data)
            tag = chunks[0] if len(chunks) == 1 else hashlib.sha256(b"".join(chunks)).digest()
            name = block_name(start // self._block, tag.hex())
            self._writer.put_block(self._web, self._place, name, data)
            self._told(length)
            with self._lock:
                self._sent[start] = name, chunks
                if len(self._sent) < -(-self._size // self._block):
                    return None
            hashed = [chunk for at in sorted(self._sent) for chunk in self._sent[at][1]]
        digest = FileDigest(self._size, tuple(hashed)).text
        if os.stat(self._source).st_size != self._size:
            raise changed_meanwhile(self._source)
        if self._sent:
            names = [self._sent[at][0] for at in sorted(self._sent)]
            self._web.check()
            self._writer.commit(self._web, self._place, names, digest)
        return FileEntry(self._path, self._size, digest)

    def _send_whole(self) -> list[bytes]:
        data = self._read(0, self._size)
        hashed = chunk_hashes(data)
        self._writer.put(self._web, self._place, data, FileDigest(self._size, tuple(hashed)).text)
        self._told(self._size)
        return hashed

    def _send_stream(self) -> list[bytes]:
        hashed: list[bytes] = []

        def read() -> Iterator[bytes]:
            hashed.clear()  # an attempt before this one may have come to here
            for start in range(0, self._size, CHUNK_SIZE):
                self._web.check()
                data = self._read(start, min(CHUNK_SIZE, self._size - start))
                hashed.append(hashlib.sha256(data).digest())
                for begin in range(0, len(data), _PIECE):
                    yield data[begin : begin + _PIECE]

        self._writer.put_stream(self._web, self._place, self._size, read)
        self._told(self._size)
        return hashed

    def _read(self, start: int, length: int) -> bytes:
        with open(self._source, "rb", buffering=0) as file:
            file.seek(start)
            data = file.read(length)
            while data and len(data) < length:
                more = file.read(length - len(data))
                if not more:
                    break
                data += more
        if len(data) != length:
            raise changed_meanwhile(self._source)
        return data

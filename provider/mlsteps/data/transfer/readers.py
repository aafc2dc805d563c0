"""A file of a source, read by pieces while it stays the same."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import BinaryIO

from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.data.stores.azure_ranges import ChangedMeanwhile, read_pieces
from mlsteps.data.stores.base import FileInfo
from mlsteps.data.stores.buffers import Buffers, Data
from mlsteps.data.transfer.identity import known_content, read_chunks
from mlsteps.data.transfer.listings import Place
from mlsteps.exceptions import DataNotFoundException, MlstepsException

_buffers = Buffers()


class SourceChanged(MlstepsException):
    """A file was written to while it was being copied."""


class ListedLongAgo(MlstepsException):
    """A file is no longer what was listed, and nothing of it was read yet."""


class Reader(ABC):
    """One version of a file.

    :param url: Where it is, for people.
    :param size: Its bytes.
    :param known: The digest or MD5 that its store knows of it.
    :param version: Tells this version of this file from all others.
    """

    url: str
    size: int
    known: str | None
    version: str
    in_sequence = False
    """Whether pieces have to be read one after the other."""

    again = False
    """Whether what was read can be read once more at little cost."""

    span = 1
    """How many pieces that follow each other are read faster together."""

    compared = True
    """Whether what is read will be compared with ``known``. Set by who reads."""

    @abstractmethod
    def read(self, start: int, length: int, piece: int) -> Iterator[Data]:
        """A part of it, in pieces of a length; from any thread, unless ``in_sequence``.

        Only where ``in_sequence`` a piece stays true when the next one is asked for.
        """

    @abstractmethod
    def finish(self) -> None:
        """Make sure that all pieces were of one version.

        :raises SourceChanged: they may not have been.
        """

    def changed(self) -> SourceChanged:
        """The error for a file that does not keep still."""
        return SourceChanged(f"{self.url!r} changed while it was being copied: something still writes to it.")

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Let go of it."""


def reader_of(place: Place, path: str, info: FileInfo) -> Reader:
    """A reader for a file below a place.

    :raises DataNotFoundException: it is gone.
    """
    store = place.store
    try:
        local = store.local_path(info.path)
        if local is not None:
            return _FolderReader(str(local))
        if isinstance(store, AzureBlobStore):
            return _BlobReader(store, info)
        return _StreamReader(place.url(path), store.open(info.path), info)
    except FileNotFoundError:
        raise gone(place.url(path)) from None


def gone(url: str) -> DataNotFoundException:
    """The error for a file that was deleted since it was listed."""
    return DataNotFoundException(f"{url!r} was deleted while the transfer was running.")


class _FolderReader(Reader):
    known = None
    again = True

    def __init__(self, path: str) -> None:
        self.url = path
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._status = os.fstat(self._file)
        self.size = self._status.st_size
        self.version = f"{os.path.realpath(path)}\0{_state(self._status)}"

    def read(self, start: int, length: int, piece: int) -> Iterator[Data]:
        for at in range(start, start + length, piece):
            data = _buffers.of(min(piece, start + length - at))
            filled = 0
            while filled < len(data):
                count = os.preadv(self._file, [data[filled:]], at + filled)
                if not count:
                    raise self.changed()
                filled += count
            yield data

    def finish(self) -> None:
        if _state(os.fstat(self._file)) != _state(self._status):
            raise self.changed()

    def close(self) -> None:
        os.close(self._file)


class _BlobReader(Reader):
    span = 8  # by one request

    def __init__(self, store: AzureBlobStore, info: FileInfo) -> None:
        self._store = store
        self._info = info
        self._begun = False
        self.url = store.url(info.path)
        self.size = info.size
        self.known = known_content(info)
        self.version = f"{self.url}\0{info.version}"

    def read(self, start: int, length: int, piece: int) -> Iterator[Data]:
        try:
            for data in read_pieces(self._store, self._info, start, length, piece, self.compared):
                self._begun = True
                yield data
        except (ChangedMeanwhile, FileNotFoundError):
            if self._begun:
                raise self.changed() from None
            raise ListedLongAgo(self.url) from None

    def finish(self) -> None:
        """Each piece was asked for with the version's tag."""


class _StreamReader(Reader):
    in_sequence = True

    def __init__(self, url: str, stream: BinaryIO, info: FileInfo) -> None:
        self.url = url
        self._stream = stream
        self.size = info.size
        self.known = known_content(info)
        self.version = f"{url}\0{info.size}\0{info.version or info.content or os.urandom(8).hex()}"

    def read(self, start: int, length: int, piece: int) -> Iterator[Data]:
        for at in range(start, start + length, piece):
            count = min(piece, start + length - at)
            data = next(read_chunks(self._stream, count), b"")
            if len(data) != count:
                raise self.changed()
            yield data

    def finish(self) -> None:
        if self._stream.read(1):
            raise self.changed()

    def close(self) -> None:
        self._stream.close()


def _state(status: os.stat_result) -> str:
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"

"""Content digests: the same on every machine, computed on all cores, checkable chunk by chunk.

A file's digest is SHA-256 over a header (tag, chunk size, file size) and the SHA-256 of every 4 MiB chunk.
So a large file is hashed by many threads at once (hashlib releases the interpreter lock), and a transfer can
verify and resume by chunk. A tree's digest is SHA-256 over its sorted, length-prefixed entries.
Both carry a tag in the hashed bytes and in their text, so one kind is never taken for the other.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from mlsteps.exceptions import DataNotFoundException, MlstepsException, UserErrorException

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    StrPath = Union[str, os.PathLike[str]]

CHUNK_SIZE = 4 * 1024 * 1024
"""Bytes per chunk. Part of the format: another value gives other digests."""

FILE_PREFIX = "sha256c:"
TREE_PREFIX = "sha256t:"

_FILE_TAG = b"mlsteps.file/1\n"
_TREE_TAG = b"mlsteps.tree/1\n"
_READ_SIZE = 512 * 1024  # one buffer of this size per thread: small enough to stay in the processor's cache
_UNIT_SIZE = 4 * CHUNK_SIZE  # bytes that one thread takes at a time
_UNIT_FILES = 256  # files that one thread takes at a time: opening them costs more than hashing them
_MAX_WORKERS = 32


@dataclass(frozen=True)
class FileDigest:
    """Size of a content in bytes and the SHA-256 of each of its chunks; an empty content has no chunk."""

    size: int
    chunks: tuple[bytes, ...]

    @property
    def text(self) -> str:
        """The digest as it is written everywhere: ``sha256c:`` and 64 hexadecimal digits."""
        header = _FILE_TAG + _number(CHUNK_SIZE) + _number(self.size)
        return FILE_PREFIX + hashlib.sha256(header + b"".join(self.chunks)).hexdigest()


def digest_bytes(data: bytes) -> str:
    """Return the digest of ``data``: equal to that of a file that holds these bytes."""
    starts = range(0, len(data), CHUNK_SIZE)
    chunks = (hashlib.sha256(data[start : start + CHUNK_SIZE]).digest() for start in starts)
    return FileDigest(len(data), tuple(chunks)).text


def digest_file(path: StrPath, workers: int | None = None) -> str:
    """Return the digest of the file at ``path``, hashed by ``workers`` threads (default: one per core).

    Raises what `digest_files` raises.
    """
    return digest_files([path], workers)[0].text


def digest_files(paths: Iterable[StrPath], workers: int | None = None) -> list[FileDigest]:
    """Return the digests of ``paths`` in their order, hashed by ``workers`` threads (default: one per core).

    Large files are split among the threads, small ones are taken in batches. Memory is one read buffer per
    thread, and 32 bytes per 4 MiB of content. The result does not depend on ``workers``.

    Raises:
        DataNotFoundException: A file is not there.
        MlstepsException: A file cannot be read, or its size changed while it was read.
    """
    names = [os.fspath(path) for path in paths]
    sizes = [_size(name) for name in names]
    units = list(_units(names, sizes))
    threads = min(_worker_count(workers), len(units))
    if threads <= 1:
        hashed = [_hash_unit(unit) for unit in units]
    else:
        from concurrent.futures import (
            ThreadPoolExecutor,
        )  # slow to import, and a small output needs no threads

        with ThreadPoolExecutor(threads, thread_name_prefix="digest") as pool:
            hashed = list(pool.map(_hash_unit, units))
    chunks: list[list[bytes]] = [[] for _ in names]
    for unit, parts in zip(units, hashed):
        for span, part in zip(unit, parts):
            chunks[span.index].extend(part)
    return [FileDigest(size, tuple(part)) for size, part in zip(sizes, chunks)]


def digest_tree(entries: Iterable[tuple[str, int, str]]) -> str:
    """Return the digest of a tree given as ``(path, size in bytes, digest)``, in any order.

    Hashed are a tag, the number of entries, and each entry as length-prefixed path, size and length-prefixed
    digest, sorted by the path's bytes: two different trees never encode alike.

    Raises:
        UserErrorException: Two entries have the same path.
    """
    encoded = sorted((_path_bytes(path), size, digest.encode()) for path, size, digest in entries)
    sha = hashlib.sha256(_TREE_TAG + _number(len(encoded)))
    previous: bytes | None = None
    for path, size, digest in encoded:
        if path == previous:
            raise UserErrorException(f"Two entries of a tree have the same path {os.fsdecode(path)!r}")
        previous = path
        sha.update(_number(len(path)) + path + _number(size) + _number(len(digest)) + digest)
    return TREE_PREFIX + sha.hexdigest()


@dataclass(frozen=True)
class _Span:
    """Some consecutive chunks of one file: what a thread reads in one go."""

    index: int
    path: str
    start: int
    stop: int
    last: bool


def _units(paths: Sequence[str], sizes: Sequence[int]) -> Iterable[list[_Span]]:
    """Cut the work into pieces of similar cost, in the order of the files and of their chunks."""
    batch: list[_Span] = []
    pending = 0
    for index, (path, size) in enumerate(zip(paths, sizes)):
        for start in range(0, max(size, 1), _UNIT_SIZE):
            stop = min(start + _UNIT_SIZE, size)
            batch.append(_Span(index, path, start, stop, last=stop == size))
            pending += stop - start
            if pending >= _UNIT_SIZE or len(batch) >= _UNIT_FILES:
                yield batch
                batch, pending = [], 0
    if batch:
        yield batch


def _hash_unit(unit: Sequence[_Span]) -> list[list[bytes]]:
    longest = max(span.stop - span.start for span in unit)
    buffer = memoryview(bytearray(min(_READ_SIZE, max(longest, 1))))
    return [_hash_span(span, buffer) for span in unit]


def _hash_span(span: _Span, buffer: memoryview) -> list[bytes]:
    """Return the SHA-256 of each chunk of ``span``."""
    try:
        with open(span.path, "rb", buffering=0) as file:
            file.seek(span.start)
            chunks = []
            for start in range(span.start, span.stop, CHUNK_SIZE):
                sha = hashlib.sha256()
                left = min(CHUNK_SIZE, span.stop - start)
                while left:
                    count = file.readinto(buffer[:left])
                    if not count:
                        raise _changed(span.path)
                    sha.update(buffer[:count])
                    left -= count
                chunks.append(sha.digest())
            if span.last and os.fstat(file.fileno()).st_size != span.stop:
                raise _changed(span.path)
            return chunks
    except OSError as error:
        raise _unreadable(span.path, error) from error


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> MlstepsException:
    if isinstance(error, FileNotFoundError):
        return DataNotFoundException(f"There is no file {path!r} to hash")
    return MlstepsException(f"Cannot read {path!r} to hash it: {error.strerror or error}")


def _changed(path: str) -> MlstepsException:
    return MlstepsException(f"{path!r} changed while it was being hashed: something still writes to it")


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _path_bytes(path: str) -> bytes:
    # surrogatepass, unlike surrogateescape, maps no two strings to the same bytes.
    return path.encode("utf-8", "surrogatepass")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # what this process may use, which in a container is less than all
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def _worker_count(workers: int | None) -> int:
    return max(1, min(workers or _cores(), _MAX_WORKERS))

"""Content digests: the same on every machine, computed on all cores, checkable chunk by chunk.

A file's digest is SHA-256 over a header (tag, chunk size, file size) and the SHA-256 of every 4 MiB chunk.
So a large file is hashed by many threads at once (hashlib releases the interpreter lock), and a transfer can
verify and resume by chunk. A tree's digest is SHA-256 over its sorted, length-prefixed entries.
Both carry a tag in the hashed bytes and in their text, so one kind is never taken for the other.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from mlsteps.exceptions import DataNotFoundException, MlstepsException, UserErrorException

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future, ThreadPoolExecutor

    StrPath = Union[str, os.PathLike[str]]
    # Consecutive chunks of files that one thread reads in one go: path, first and last byte, and whether the
    # file ends there.
    _Unit = list[tuple[str, int, int, bool]]
    # The SHA-256 of each chunk, and the file's status afterwards.
    _Hashed = tuple[list[bytes], os.stat_result]

CHUNK_SIZE = 4 * 1024 * 1024
"""Bytes per chunk. Part of the format: another value gives other digests."""

FILE_PREFIX = "sha256c:"
TREE_PREFIX = "sha256t:"

_FILE_TAG = b"mlsteps.file/1\n"
_TREE_TAG = b"mlsteps.tree/1\n"
_READ_SIZE = 1024 * 1024  # one buffer of this size per thread: small enough to stay in the processor's cache
_UNIT_SIZE = 4 * CHUNK_SIZE  # bytes that one thread takes at a time
_UNIT_FILES = 256  # files that one thread takes at a time: opening them costs more than hashing them
_SMALL = 32 * 1024  # below that, threads that open and close files wait for the interpreter lock all the time
_MAX_WORKERS = 32
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)  # which Windows needs


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
    return FileDigest(len(data), tuple(chunk_hashes(data))).text


def chunk_hashes(data: bytes | bytearray | memoryview) -> list[bytes]:
    """Return the SHA-256 of each chunk of ``data``; nothing has no chunk."""
    view = memoryview(data)
    starts = range(0, len(view), CHUNK_SIZE)
    return [hashlib.sha256(view[start : start + CHUNK_SIZE]).digest() for start in starts]


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
    return [digest for digest, _ in digest_listed([(name, _size(name)) for name in names], workers)]


def digest_listed(
    files: Sequence[tuple[str, int]], workers: int | None = None
) -> Iterator[tuple[FileDigest, os.stat_result]]:
    """Yield the digest of each file and its status right after it was read, in the order of ``files``.

    ``files`` are paths and the sizes that they are known to have. Otherwise like `digest_files`.

    Raises:
        DataNotFoundException: A file is not there.
        MlstepsException: A file cannot be read, or has not that size.
    """
    earlier: list[bytes] = []
    for unit, parts in _hash_units(list(_units(files)), _worker_count(workers)):
        for (path, start, stop, last), (chunks, status) in zip(unit, parts):
            if last and not start:
                yield FileDigest(stop, tuple(chunks)), status
                continue
            earlier += chunks
            if last:  # other pieces may have been read later than this one
                yield FileDigest(stop, tuple(earlier)), _status(path)
                earlier = []


def digest_tree(entries: Iterable[tuple[str, int, str]]) -> str:
    """Return the digest of a tree given as ``(path, size in bytes, digest)``, in any order.

    Hashed are a tag, the number of entries, and each entry as length-prefixed path, size and length-prefixed
    digest, sorted by the path's bytes: two different trees never encode alike.

    Raises:
        UserErrorException: Two entries have the same path.
    """
    encoded = sorted([(_path_bytes(path), size, digest.encode()) for path, size, digest in entries])
    sha = hashlib.sha256(_TREE_TAG + _number(len(encoded)))
    previous: bytes | None = None
    for path, size, digest in encoded:
        if path == previous:
            raise UserErrorException(f"Two entries of a tree have the same path {os.fsdecode(path)!r}")
        previous = path
        sha.update(b"".join((_number(len(path)), path, _number(size), _number(len(digest)), digest)))
    return TREE_PREFIX + sha.hexdigest()


def changed_meanwhile(path: StrPath) -> MlstepsException:
    """The error for a file or directory that does not keep still."""
    return MlstepsException(
        f"{os.fspath(path)!r} changed while it was being hashed: something still writes to it"
    )


def _units(files: Iterable[tuple[str, int]]) -> Iterator[_Unit]:
    """Cut the work into pieces of similar cost, in the order of the files and of their chunks."""
    unit: _Unit = []
    pending = 0
    for path, size in files:
        for start in range(0, size, _UNIT_SIZE) if size else (0,):
            stop = min(start + _UNIT_SIZE, size)
            unit.append((path, start, stop, stop == size))
            pending += stop - start
            if pending >= _UNIT_SIZE or len(unit) >= _UNIT_FILES:
                yield unit
                unit, pending = [], 0
    if unit:
        yield unit


def _hash_units(units: Sequence[_Unit], workers: int) -> Iterator[tuple[_Unit, list[_Hashed]]]:
    """Hash ``units`` and yield them in order.

    Units of large files go to threads. Units of small files are hashed here meanwhile, unless that turns out
    to be waiting for a slow disk or a network: threads can do that at the same time.
    """
    threads = min(workers, len(units))
    if threads <= 1:
        for unit in units:
            yield unit, _hash_unit(unit)
        return
    pool = _Pool(threads)
    try:
        pool.start(units, [number for number, unit in enumerate(units) if _is_large(unit)])
        for number, unit in enumerate(units):
            if number in pool.results:
                yield unit, pool.results.pop(number).result()
                continue
            started, busy = time.perf_counter(), time.thread_time()
            parts = _hash_unit(unit)
            if time.perf_counter() - started > 4 * (time.thread_time() - busy) + 0.1:
                pool.start(units, range(number + 1, len(units)))
            yield unit, parts
    finally:
        pool.stop()


class _Pool:
    """Threads that hash units; none are made before there is something to do for them."""

    def __init__(self, threads: int) -> None:
        self.results: dict[int, Future[list[_Hashed]]] = {}
        self._threads = threads
        self._executor: ThreadPoolExecutor | None = None

    def start(self, units: Sequence[_Unit], numbers: Iterable[int]) -> None:
        """Begin with the units of these numbers, except where that was done before."""
        for number in numbers:
            if self._executor is None:
                # Slow to import, and a small output needs no threads.
                from concurrent.futures import ThreadPoolExecutor

                self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="digest")
            if number not in self.results:
                self.results[number] = self._executor.submit(_hash_unit, units[number])

    def stop(self) -> None:
        """Wait for what runs, and drop what has not begun."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)


def _hash_unit(unit: _Unit) -> list[_Hashed]:
    small = min(_SMALL, CHUNK_SIZE)
    buffer = memoryview(bytearray(min(_READ_SIZE, max(stop - start for _, start, stop, _ in unit))))
    parts = []
    for path, start, stop, last in unit:
        part = _hash_small(path, stop) if last and not start and stop <= small else None
        parts.append(part or _hash_span(path, start, stop, last, buffer))
    return parts


def _hash_small(path: str, size: int) -> _Hashed | None:
    """Hash a file of one chunk with as few calls as can be; None if it has not that size."""
    try:
        descriptor = os.open(path, _READ)
        try:
            data = os.read(descriptor, size + 1)
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(path, error) from error
    if not len(data) == size == status.st_size:
        return None
    return [hashlib.sha256(data).digest()] if data else [], status


def _hash_span(path: str, start: int, stop: int, last: bool, buffer: memoryview) -> _Hashed:
    try:
        with open(path, "rb", buffering=0) as file:
            file.seek(start)
            chunks = []
            for begin in range(start, stop, CHUNK_SIZE):
                sha = hashlib.sha256()
                left = min(CHUNK_SIZE, stop - begin)
                while left:
                    count = file.readinto(buffer[:left])
                    if not count:
                        raise changed_meanwhile(path)
                    sha.update(buffer[:count])
                    left -= count
                chunks.append(sha.digest())
            status = os.fstat(file.fileno())
            if last and status.st_size != stop:
                raise changed_meanwhile(path)
            return chunks, status
    except OSError as error:
        raise _unreadable(path, error) from error


def _is_large(unit: _Unit) -> bool:
    return sum(stop - start for _, start, stop, _ in unit) >= _SMALL * len(unit)


def _size(path: str) -> int:
    return _status(path).st_size


def _status(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> MlstepsException:
    if isinstance(error, FileNotFoundError):
        return DataNotFoundException(f"There is no file {path!r} to hash")
    return MlstepsException(f"Cannot read {path!r} to hash it: {error.strerror or error}")


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

"""A file of a folder while it is being written: invisible under another name, there at once when whole.

The name is made of the target's and of the source's version, so that the next try finds what the last one
left. Beside it lies the list of its finished pieces with their hashes; a piece counts if what is in the file
still has that hash. Who writes holds a lock, which the kernel frees when it dies: what is not locked is left
over, and may be taken up or deleted.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from mlsteps.data.stores.buffers import Data
from mlsteps.data.stores.disk_space import reserve
from mlsteps.data.transfer.chunk_hashes import ChunkHashes
from mlsteps.exceptions import DatastoreException
from mlsteps.launcher.digest import CHUNK_SIZE, chunk_hashes

# As ``atomic.TEMPORARY``, which no listing shows; no process id has a zero in front.
_DATA, _LIST = "00", "01"
_LEFTOVER = re.compile(r"(\..*\.)(00|01)(-[0-9a-f]{12}\.tmp)", re.DOTALL)
_HASH = 32


class Partial:
    """The unfinished content of ``target``.

    :param version: Tells the source's content and its version apart from others.
    :param length: Bytes of a piece.
    :param resumable: Whether it is left when writing it fails, to be gone on with.
    :raises DatastoreException: there is no room for it.
    """

    def __init__(self, target: Path, version: str, size: int, length: int, resumable: bool) -> None:
        self._target = target
        self._size = size
        self._length = length
        self._resumable = resumable
        self._lock = threading.Lock()
        self._list, self._list_path = -1, ""
        name = _beginning(target)
        tag = hashlib.sha256(os.fsencode(f"{target.name}\0{version}\0{length}")).hexdigest()[:12]
        self._path, self._file = _open_locked(target.parent, name, tag)
        self._finished: dict[int, bytes] = {}
        if resumable:
            self._open_list()
        self._reserve()

    def _reserve(self) -> None:
        if self._size <= self._length:
            os.truncate(self._file, self._size)
            return
        try:
            reserve(self._file, self._size)
        except OSError as error:
            self.close()
            free = shutil.disk_usage(self._target.parent).free
            raise DatastoreException(
                f"{str(self._target)!r} cannot be written: it has {self._size} bytes, and on its disk "
                f"{free} are free. Free some space there, and run it again. ({error.strerror})"
            ) from None

    def there(self, number: int) -> list[bytes] | None:
        """The hashes of the chunks of a piece that an earlier try has written; None if it has to be."""
        recorded = self._finished.get(number)
        if recorded is None:
            return None
        hashes = chunk_hashes(self.read(number))
        return hashes if b"".join(hashes) == recorded else None

    def put(self, number: int, parts: Iterator[Data]) -> list[bytes]:
        """Write a piece, of which it takes the parts; returns the hashes of its chunks."""
        at = number * self._length
        end = min(at + self._length, self._size)
        chunks = ChunkHashes()
        while at < end:
            data = memoryview(next(parts))
            chunks.add(data)
            self._write(data, at)
            at += len(data)
        hashes = chunks.all()
        if self._list >= 0:
            with self._lock:
                os.write(self._list, number.to_bytes(8, "big") + b"".join(hashes).ljust(self._record, b"\0"))
        return hashes

    def _write(self, data: memoryview, at: int) -> None:
        while data:
            count = os.pwrite(self._file, data, at)
            at, data = at + count, data[count:]

    def read(self, number: int) -> bytes:
        """A piece as it stands in the file."""
        start = number * self._length
        return os.pread(self._file, min(self._length, self._size - start), start)

    def commit(self) -> None:
        """Give it the target's name."""
        os.replace(self._path, self._target)
        self._path = ""
        self._forget_list()

    def close(self, discard: bool = False) -> None:
        """Let go of it; what is not whole is left for the next try only where that can use it.

        :param discard: Leave nothing: the source is no longer what was read.
        """
        if self._path and (discard or not self._resumable):
            with suppress(FileNotFoundError):
                os.unlink(self._path)
            self._forget_list()
        if self._list >= 0:
            os.close(self._list)
        os.close(self._file)  # and frees the lock

    @property
    def _record(self) -> int:
        return _HASH * -(-self._length // CHUNK_SIZE)

    def _open_list(self) -> None:
        beginning, _, end = self._path.rpartition(f".{_DATA}-")
        self._list_path = f"{beginning}.{_LIST}-{end}"
        self._list = os.open(self._list_path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        with open(self._list_path, "rb") as file:
            found = file.read()
        width = 8 + self._record
        whole = len(found) // width * width
        os.truncate(self._list, whole)  # a kill may have cut the last one short
        for at in range(0, whole, width):
            number = int.from_bytes(found[at : at + 8], "big")
            count = -(-min(self._length, self._size - number * self._length) // CHUNK_SIZE)
            self._finished[number] = found[at + 8 : at + 8 + _HASH * count]

    def _forget_list(self) -> None:
        if self._list_path:
            with suppress(FileNotFoundError):
                os.unlink(self._list_path)


def clear_leftovers(folders: Iterable[Path], only: Path | None = None) -> None:
    """Delete unfinished files in these folders that nobody is writing to.

    :param only: Those of this target alone.
    """
    beginning = f".{_beginning(only)}." if only else None
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            found = _LEFTOVER.fullmatch(name)
            if found and beginning in (None, found[1]):
                _delete_unlocked(folder / f"{found[1]}{_DATA}{found[3]}", folder / name)


def _open_locked(folder: Path, name: str, tag: str) -> tuple[str, int]:
    """Open and lock the file of this tag; if somebody else has it, a new one."""
    while True:
        path = os.path.join(folder, f".{name}.{_DATA}-{tag}.tmp")
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:
            os.makedirs(folder, exist_ok=True)
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.stat(path).st_ino == os.fstat(file).st_ino:
                return path, file
        except FileNotFoundError:
            pass  # deleted as a leftover, before it was locked
        except BlockingIOError:
            tag = os.urandom(6).hex()
        except OSError:  # a file system without locks: then nobody deletes leftovers, either
            os.close(file)
            path = os.path.join(folder, f".{name}.{_DATA}-{os.urandom(6).hex()}.tmp")
            return path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        os.close(file)


def _delete_unlocked(data: Path, file: Path) -> None:
    try:
        held = os.open(data, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        held = -1
    try:
        if held >= 0:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with suppress(OSError):
            os.unlink(file)
    except OSError:
        return
    finally:
        if held >= 0:
            os.close(held)


def _beginning(target: Path) -> str:
    """The name's beginning; a name may be up to 255 bytes, and what comes after it must fit as well."""
    return os.fsencode(target.name)[:120].decode("utf-8", "ignore")

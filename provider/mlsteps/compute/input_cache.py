"""InputCache: files of inputs that were fetched once, for all steps on this machine that read the same."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlsteps.exceptions import ComputeTargetException, DatastoreException
from mlsteps.launcher.digest import FILE_PREFIX, digest_file

if TYPE_CHECKING:
    from mlsteps.data.stores import FileInfo, Store

DEFAULT_GIGABYTES = 20
# Every file here has this time of modification, and its size. One that was written to has not.
_MODIFIED_NS = 315_532_800 * 10**9  # 1980, which archives can hold, too
_CLONE = 0x40049409  # ioctl FICLONE: a copy that shares its blocks until one of them is written
# What a store may say of a file's bytes that tells when they change.
_TELLING = (FILE_PREFIX, "md5:", "etag:")
_NO_LINK = (errno.EXDEV, errno.EMLINK, errno.EPERM, errno.ENOTSUP)


def checked_gigabytes(where: str, input_cache_gb: float) -> float:
    """How much a compute target keeps, in 10^9 bytes.

    :param where: Whose setting it is, for the error.
    :raises ComputeTargetException: it is no such number.
    """
    if type(input_cache_gb) not in (int, float) or not input_cache_gb >= 0:
        raise ComputeTargetException(
            f"{where}: input_cache_gb is a number of gigabytes, got {input_cache_gb!r}."
        )
    return input_cache_gb


class InputCache:
    """Files by their content, shared by hard links, or copies that share blocks where the disk can do that.

    Any number of processes may use one folder. A file is fetched by one of them; what is not used by a
    running step is dropped, the longest unused first, when there is too much of it.

    :param folder: Where it is; on the disk that the steps work on.
    :param most_bytes: How much it may hold. A file larger than that is not kept.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most = most_bytes
        self._clones = True

    def fetch(self, store: Store, info: FileInfo, target: Path, *, writable: bool) -> bool:
        """Put a store's file at ``target``, whose folder is there; whether it had been fetched before.

        Not ``writable``, it may be a link to the cache's own file, which only root could write to.

        :raises DatastoreException: the file changed since it was listed.
        """
        key = _key(store, info)
        if key is None or info.size > self._most:
            store.get_file(info.path, target)
            return False
        kept = self._folder / "files" / key[:2] / key
        with self._lock(key):
            there = _is_whole(kept, info.size)
            if not there:
                self._bring(store, info, kept)
            # When it was used last; the time of modification stays.
            os.utime(kept, ns=(time.time_ns(), _MODIFIED_NS))
            self._share(kept, target, writable)
        return there

    def trim(self) -> None:
        """Drop what was not used for the longest time, until there is not too much."""
        found = []
        for folder, _, names in os.walk(self._folder / "files"):
            for name in names:
                place = Path(folder, name)
                with contextlib.suppress(FileNotFoundError):
                    found.append((place.stat().st_atime_ns, place.stat().st_size, place))
        total = sum(size for _, size, _ in found)
        for _, size, place in sorted(found):
            if total <= self._most:
                return
            with contextlib.suppress(OSError), self._lock(place.name):
                if place.stat().st_nlink == 1:  # else a step is reading it, and nothing would be freed
                    place.unlink()
                    total -= size

    def _bring(self, store: Store, info: FileInfo, kept: Path) -> None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.unlink(missing_ok=True)
        store.get_file(info.path, kept)
        if not _is_what_was_listed(store, info, kept):
            kept.unlink()
            raise DatastoreException(f"{store.url(info.path)} changed while it was being fetched.")
        kept.chmod(0o444)

    def _share(self, kept: Path, target: Path, writable: bool) -> None:
        if self._clones and _cloned(kept, target):
            target.chmod(0o644 if writable else 0o444)
            return
        self._clones = False
        if not writable:
            try:
                os.link(kept, target)
                return
            except OSError as error:
                if error.errno not in _NO_LINK:
                    raise
        shutil.copyfile(kept, target)
        target.chmod(0o644 if writable else 0o444)

    @contextlib.contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        """Alone with the files whose keys begin alike; a lock for each file would leave as many files."""
        locks = self._folder / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with open(locks / key[:2], "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _key(store: Store, info: FileInfo) -> str | None:
    """A file's name in the cache: that of its content, or of its version at this place."""
    if info.content is None or not info.content.startswith(_TELLING):
        return None
    where = f" {store.url(info.path)}" if info.content.startswith("etag:") else ""
    return hashlib.sha256(f"{info.content} {info.size}{where}".encode()).hexdigest()


def _is_whole(kept: Path, size: int) -> bool:
    try:
        found = kept.stat()
    except FileNotFoundError:
        return False
    return found.st_size == size and found.st_mtime_ns == _MODIFIED_NS


def _is_what_was_listed(store: Store, info: FileInfo, kept: Path) -> bool:
    assert info.content is not None
    if info.content.startswith(FILE_PREFIX):
        return digest_file(kept) == info.content
    if info.content.startswith("md5:"):
        return f"md5:{_md5_of(kept)}" == info.content
    return store.stat(info.path) == info


def _md5_of(file: Path) -> str:
    found = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            found.update(chunk)
    return found.hexdigest()


def _cloned(kept: Path, target: Path) -> bool:
    with kept.open("rb") as source, target.open("wb") as copy:
        try:
            fcntl.ioctl(copy.fileno(), _CLONE, source.fileno())
            return True
        except OSError:
            pass
    target.unlink()
    return False

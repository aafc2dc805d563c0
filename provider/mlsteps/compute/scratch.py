"""Temporary folders of jobs: gone when the job is over, also when the worker was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from pathlib import Path

_LOCK = "owner.lock"


class ScratchFolder:
    """A folder for one job, deleted afterwards.

    Its owner holds a lock that the system gives up when the process dies, however it dies; whoever next makes
    a scratch folder here deletes those that nobody holds.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.path = root / name

    def __enter__(self) -> Path:
        self.root.mkdir(parents=True, exist_ok=True)
        self._sweep()
        self._lock = self._take()
        return self.path

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # then a later sweep does it; the job's result stands
            _delete(self.path)
        os.close(self._lock)

    def _take(self) -> int:
        """Make the folder and hold its lock; waits while another job of this name holds it."""
        while True:
            with contextlib.suppress(FileExistsError):
                self.path.mkdir(mode=0o700)
            try:
                lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            except FileNotFoundError:
                continue  # swept away this moment
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_at(lock, self.path / _LOCK):
                return lock
            os.close(lock)  # swept away, or given up by its owner, before the lock was ours

    def _sweep(self) -> None:
        for folder in self.root.iterdir():
            try:
                lock = os.open(folder / _LOCK, os.O_RDWR)
            except OSError:
                continue  # being made at this moment, or not ours
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(lock, folder / _LOCK):
                    _delete(folder)
            except OSError:
                pass  # its job is at work, or somebody else's files are in it
            finally:
                os.close(lock)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one with this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _delete(folder: Path) -> None:
    """Delete a folder, its lock file last: a sweep that is killed half way must find the folder again."""
    if not folder.is_dir():
        return
    for place, folders, _ in os.walk(folder):
        for name in folders:  # a script may have made some read-only
            if not os.path.islink(os.path.join(place, name)):
                os.chmod(os.path.join(place, name), 0o700)
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        elif entry.name != _LOCK:
            os.unlink(entry.path)
    (folder / _LOCK).unlink(missing_ok=True)
    folder.rmdir()

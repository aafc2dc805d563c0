"""Temporary folders of jobs: gone when the job is over, also when the worker was killed."""

from __future__ import annotations

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
        self.path.mkdir(mode=0o700, exist_ok=True)
        self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self.path

    def __exit__(self, *_: object) -> None:
        _delete(self.path)
        os.close(self._lock)

    def _sweep(self) -> None:
        for folder in self.root.iterdir():
            try:
                lock = os.open(folder / _LOCK, os.O_RDWR)
            except OSError:
                continue  # being made at this moment, or not ours
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _delete(folder)
            except OSError:
                pass  # its job is at work
            finally:
                os.close(lock)


def _delete(folder: Path) -> None:
    # The lock file goes last: a sweep that is killed half way must find the folder again.
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        elif entry.name != _LOCK:
            os.unlink(entry.path)
    shutil.rmtree(folder, ignore_errors=True)

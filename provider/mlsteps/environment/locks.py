"""A lock between processes; the kernel releases it when its holder ends, in whatever way."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.1
_REMIND_SECONDS = 30.0


@contextmanager
def exclusive(path: Path, timeout: float, on_wait: Callable[[str, float], None]) -> Iterator[bool]:
    """Hold the lock file at ``path``; yields whether there was somebody to wait for.

    The file stays: deleting it would let two processes hold "the" lock, each on another file.

    Args:
        path: the lock file; made if it is not there.
        timeout: how long to wait, in seconds.
        on_wait: told who holds the lock and for how long this process has waited, at once and every half
            minute.

    Raises:
        TimeoutError: somebody else held it all the time; the text says who.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        waited = _acquire(descriptor, timeout, on_wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield waited
    finally:
        os.close(descriptor)  # releases the lock


def _acquire(descriptor: int, timeout: float, on_wait: Callable[[str, float], None]) -> bool:
    start = time.monotonic()
    reminded = -_REMIND_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            return reminded >= 0
        waited = time.monotonic() - start
        holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "another process"
        if waited >= timeout:
            raise TimeoutError(f"{holder} has held it for {waited:.0f} seconds")
        if waited - reminded >= _REMIND_SECONDS:
            reminded = waited
            on_wait(holder, waited)
        time.sleep(_POLL_SECONDS)

"""Tells people now and then how far a transfer is."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = 10.0
_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


class Progress:
    """Lines such as ``input data: 1.2 of 5.0 GB, 12 s left``, not more often than every ten seconds.

    Args:
        what: What is moved.
        total: Bytes of it.
        say: Called with each line, from any thread.
    """

    def __init__(self, what: str, total: int, say: Callable[[str], None]) -> None:
        self._what, self._total, self._say = what, total, say
        self._done = 0
        self._began = self._told = time.monotonic()
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """So many bytes more have been moved."""
        with self._lock:
            self._done += count
            now = time.monotonic()
            if now - self._told < _SECONDS or not self._done:
                return
            self._told = now
            left = (now - self._began) * (self._total - self._done) / self._done
            factor, unit = _unit(self._total)
            line = (
                f"{self._what}: {self._done / factor:.1f} of {self._total / factor:.1f} {unit}, "
                f"{max(0.0, left):.0f} s left"
            )
        self._say(line)

    def end(self) -> None:
        """All has been moved."""
        factor, unit = _unit(self._total)
        seconds = time.monotonic() - self._began
        self._say(f"{self._what}: {self._total / factor:.1f} {unit} in {seconds:.1f} s")


def sized(count: float) -> str:
    """A number of bytes for people."""
    factor, unit = _unit(count)
    return f"{count / factor:.1f} {unit}"


def _unit(count: float) -> tuple[float, str]:
    return next(((factor, unit) for factor, unit in _UNITS if count >= factor), (1.0, "bytes"))

"""How far a transfer is, how fast it goes and how long it will take."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

# The rate is that of the last so many seconds: steady enough to read, and it follows the network.
_WINDOW = 15.0
_EVERY = 0.2


@dataclass(frozen=True)
class Progress:
    """How far a transfer is.

    :param bytes, files: What is at the destination now, copied or found there.
    :param total_bytes, total_files: All of the source; None while it is being listed.
    :param rate: Bytes a second that are copied, over the last seconds; None before anything was.
    :param seconds_left: How long the rest takes at this rate; None where that cannot be said.
    """

    bytes: int
    files: int
    total_bytes: int | None = None
    total_files: int | None = None
    rate: float | None = None
    seconds_left: float | None = None


class Meter:
    """Adds up what has arrived, from any thread, and tells it a few times a second.

    :param told: Called with the progress, by one thread at a time.
    """

    def __init__(self, told: Callable[[Progress], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._told = told
        self._clock = clock
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._bytes = self._files = self._copied = 0
        self._totals: tuple[int, int] | None = None
        self._samples: deque[tuple[float, int]] = deque([(clock(), 0)])
        self._last = -_EVERY

    def expect(self, files: int, size: int) -> None:
        """Say how much there is in all."""
        self._totals = (files, size)
        self._tell(at_once=True)

    def arrived(self, count: int) -> None:
        """Count bytes that were copied; negative for those that have to be copied once more."""
        with self._lock:
            self._bytes += count
            self._copied += count
        self._tell()

    def finished(self, found: int = 0) -> None:
        """Count a file: one whose bytes were counted, or one of ``found`` bytes that was there already."""
        with self._lock:
            self._files += 1
            self._bytes += found
        self._tell()

    def close(self) -> None:
        """Tell the last state, whenever the one before was told."""
        self._tell(at_once=True)

    def now(self) -> Progress:
        """How far it is."""
        with self._lock:
            now = self._clock()
            if now - self._samples[-1][0] >= _EVERY:
                self._samples.append((now, self._copied))
            while len(self._samples) > 2 and self._samples[1][0] <= now - _WINDOW:
                self._samples.popleft()
            since, before = self._samples[0]
            rate = (self._copied - before) / (now - since) if now > since and self._copied else None
            files, size = self._totals or (None, None)
            left = None
            if size is not None and rate:
                left = max(0, size - self._bytes) / rate
            return Progress(self._bytes, self._files, size, files, rate, left)

    def _tell(self, at_once: bool = False) -> None:
        now = self._clock()
        if not at_once and now - self._last < _EVERY:
            return
        if not self._telling.acquire(blocking=at_once):
            return  # another thread is telling it this moment
        try:
            self._last = now
            self._told(self.now())
        finally:
            self._telling.release()

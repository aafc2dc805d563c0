"""A limit of bytes a second that all threads of a transfer share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# Until a thread looks again whether it has to stop.
_NAP = 0.5


class Bandwidth:
    """Lets bytes through at a rate: who takes some waits until those before are through.

    What was not used is lost after a second, so that a pause is not followed by a burst.

    :param bytes_per_second: None lets everything through.
    :param check: Called while waiting; raises when the transfer is to stop.
    """

    def __init__(
        self,
        bytes_per_second: float | None,
        check: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = bytes_per_second
        self._check = check
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free = clock()  # when the line is free again

    def take(self, count: int) -> None:
        """Return when ``count`` bytes may be moved."""
        self._check()
        if self._rate is None:
            return
        with self._lock:
            start = max(self._free, self._clock() - 1.0)
            self._free = start + count / self._rate
            turn = self._free
        while (left := turn - self._clock()) > 0:
            self._sleep(min(left, _NAP))
            self._check()

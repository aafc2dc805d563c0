"""Memory that a thread uses again for each piece of a file that it moves."""

from __future__ import annotations

import threading
from typing import TypeAlias

Data: TypeAlias = bytes | memoryview


class Buffers:
    """One buffer for each thread: taking new memory for each piece costs as much as receiving it."""

    def __init__(self) -> None:
        self._threads = threading.local()

    def of(self, length: int) -> memoryview:
        """Memory of this thread; what it had before is overwritten."""
        held: bytearray = getattr(self._threads, "held", None) or bytearray()
        if len(held) < length:
            held = self._threads.held = bytearray(length)
        return memoryview(held)[:length]

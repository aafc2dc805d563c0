"""From a stream of bytes to lines that are worth a log entry."""

from __future__ import annotations

import time
from collections.abc import Callable

# A longer line is cut into pieces: one log entry must not hold all of a binary that was printed by mistake.
MAX_LINE = 64 * 1024
# A progress bar rewrites its line many times a second; this often one of its states is worth an entry.
_REWRITE_SECONDS = 10.0


class LineReader:
    """Cuts what is fed to it into lines.

    A carriage return starts the line over, as on a terminal: of a progress bar its last state becomes an entry,
    and before that one every few seconds. Bytes that are not UTF-8 become replacement characters.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._pending = b""
        self._told = time.monotonic()

    def feed(self, data: bytes) -> None:
        """Take some bytes."""
        *lines, rest = (self._pending + data).split(b"\n")
        for line in lines:
            self._tell(line)
        if b"\r" in rest:
            before, _, rest = rest.rpartition(b"\r")
            if time.monotonic() - self._told > _REWRITE_SECONDS:
                self._tell(before)
            elif not rest:
                rest = before.rpartition(b"\r")[2] + b"\r"  # all that is known of the line so far
        while len(rest) > MAX_LINE:
            self._tell(rest[:MAX_LINE])
            rest = rest[MAX_LINE:]
        self._pending = rest

    def close(self) -> None:
        """The stream is at its end: what is left is a line."""
        if self._pending:
            self._tell(self._pending)
            self._pending = b""

    def _tell(self, line: bytes) -> None:
        text = line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", errors="replace")
        for start in range(0, max(len(text), 1), MAX_LINE):
            self._on_line(text[start : start + MAX_LINE])
        self._told = time.monotonic()

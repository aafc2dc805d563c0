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

    A carriage return starts the line over, as on a terminal: of a progress bar its last state becomes an
    entry, and before that one every few seconds. Bytes that are not UTF-8 become replacement characters.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._pending = b""
        # The state of the pending line that was told already, so that its end does not tell it again.
        self._shown: bytes | None = None
        self._told = time.monotonic()

    def feed(self, data: bytes) -> None:
        """Take some bytes."""
        *lines, rest = (self._pending + data).split(b"\n")
        for line in lines:
            self._end(line)
        if b"\r" in rest:
            # Up to the last return that something follows; the one at the very end may be half of a line end.
            before, _, state = rest.rstrip(b"\r").rpartition(b"\r")
            rest = state + b"\r" if rest.endswith(b"\r") else state
            shown = state if rest.endswith(b"\r") else _last_state(before)
            if shown and shown != self._shown and time.monotonic() - self._told > _REWRITE_SECONDS:
                self._tell(shown)
                self._shown = shown
        while len(rest) > MAX_LINE:
            end = _character_end(rest, MAX_LINE)
            self._tell(rest[:end])
            rest = rest[end:]
            self._shown = b""  # what remains may be nothing but a line end
        self._pending = rest

    def close(self) -> None:
        """The stream is at its end: what is left is a line."""
        if self._pending.strip(b"\r"):
            self._end(self._pending)
        self._pending = b""

    def _end(self, line: bytes) -> None:
        state = _last_state(line)
        if self._shown is None or state not in (b"", self._shown):
            self._tell(state)
        self._shown = None

    def _tell(self, line: bytes) -> None:
        while True:
            end = _character_end(line, MAX_LINE)
            self._on_line(line[:end].decode("utf-8", errors="replace"))
            line = line[end:]
            if not line:
                break
        self._told = time.monotonic()


def _last_state(line: bytes) -> bytes:
    """What a terminal shows of a line in the end."""
    return line.rstrip(b"\r").rpartition(b"\r")[2]


def _character_end(text: bytes, limit: int) -> int:
    """Where to cut ``text`` so that at most ``limit`` bytes remain and no character is cut in two."""
    if len(text) <= limit:
        return len(text)
    for end in range(limit, limit - 4, -1):
        if text[end] & 0xC0 != 0x80:  # the next piece starts with the start of a character
            return end
    return limit  # not UTF-8

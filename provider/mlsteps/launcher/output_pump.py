"""Carries an output stream of the script to the launcher's own and to a log file; keeps the last lines."""

from __future__ import annotations

import os
import select
import threading
from collections import deque

_READ_SIZE = 64 * 1024
_TAIL_LINES = 40
_LINE_CHARACTERS = 2000
_LINE_BYTES = 4 * _LINE_CHARACTERS  # a character has up to four bytes
_CUT = " ... [line cut]"


class Tail:
    """The last 40 lines of a stream, each cut after 2,000 characters; memory is bounded whatever comes.

    Of a line that was drawn over with carriage returns, as by a progress bar, the last state counts.
    """

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=_TAIL_LINES)
        self._open = bytearray()
        self._lock = threading.Lock()

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        # Splitting from the right: of a block with more lines than are kept, the first ones stay one piece.
        first, *rest = data.rsplit(b"\n", _TAIL_LINES + 1)
        with self._lock:
            self._extend(first.rpartition(b"\n")[2])
            for piece in rest:
                self._lines.append(bytes(self._open))
                self._open.clear()
                self._extend(piece)

    def text(self) -> str:
        """Return the lines kept so far, separated by newlines."""
        with self._lock:
            lines = [*self._lines, bytes(self._open)] if self._open else list(self._lines)
        return "\n".join(_readable(line) for line in lines[-_TAIL_LINES:])

    def _extend(self, piece: bytes) -> None:
        if not piece:
            return
        start = piece.rfind(b"\r", 0, len(piece) - 1) + 1  # a final one may be half of a line end
        if start or self._open.endswith(b"\r"):
            self._open.clear()
        room = _LINE_BYTES + 1 - len(self._open)  # one more than is shown, to know that something was cut
        self._open += piece[start : start + room]


class OutputPump:
    """A thread that reads a stream to its end.

    Each block goes first to the log, which cannot stall, then to ``forward``, where a slow reader slows the
    script down but nothing else. If one of the two fails, the other goes on.

    Args:
        source: File descriptor to read; blocks are passed on as they come.
        forward: File descriptor that gets the bytes unchanged.
        log: File descriptor of the log file; closed at the end.
    """

    def __init__(self, source: int, forward: int, log: int) -> None:
        self.tail = Tail()
        self.problem: str | None = None
        self._source = source
        self._forward: int | None = forward
        self._log: int | None = log
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def drain(self, seconds: float) -> bool:
        """Wait up to ``seconds`` for the end of the stream; return whether it was reached."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            try:
                data = os.read(self._source, _READ_SIZE)
            except OSError:
                data = b""
            if not data:
                break
            self.tail.feed(data)
            if self._log is not None:
                try:
                    _write_all(self._log, data)
                except OSError as error:
                    self.problem = f"A log file is not complete: {error.strerror or error}"
                    self._close_log()
            if self._forward is not None:
                try:
                    _write_all(self._forward, data)
                except OSError:  # nobody reads any more; the log still wants it
                    self._forward = None
        self._close_log()

    def _close_log(self) -> None:
        if self._log is not None:
            os.close(self._log)
            self._log = None


def _write_all(number: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(number, left) :]
        except BlockingIOError:  # the launcher was given a non-blocking stream
            select.select([], [number], [])


def _readable(line: bytes) -> str:
    if line.endswith(b"\r"):
        line = line[:-1].rpartition(b"\r")[2]
    text = line.decode("utf-8", "replace")
    return text if len(text) <= _LINE_CHARACTERS else text[:_LINE_CHARACTERS] + _CUT

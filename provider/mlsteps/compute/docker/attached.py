"""The streams of a container, over one connection to its engine: what it prints, and its standard input."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Iterator
from typing import Any

_STREAMS = {1: "stdout", 2: "stderr"}
_HEADER = 8
_PIECE = 64 * 1024


class AttachedStreams:
    """Reads what a container prints, in a thread of its own. Its standard input is open until :meth:`close`.

    To be made before the container starts, so that nothing is missed.
    """

    def __init__(self, api: Any, container: str) -> None:
        self._socket = api.attach_socket(
            container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        )
        # The connection's timeout is for answers; a script may say nothing for days.
        self._connection = getattr(self._socket, "_sock", self._socket)
        self._connection.settimeout(None)
        self._printed: queue.Queue[tuple[str, bytes] | None] = queue.Queue(1000)

    def start(self, text: bytes = b"") -> None:
        """Write ``text`` to the container's standard input, and begin to read."""
        threading.Thread(target=self._work, args=(text,), name="container", daemon=True).start()

    def next(self, seconds: float) -> tuple[str, bytes] | None:
        """The next piece, with the stream's name; None at the end.

        :raises queue.Empty: there was none for so long.
        """
        return self._printed.get(timeout=seconds)

    def close(self) -> None:
        """Let go of it: the container's standard input is at its end."""
        with contextlib.suppress(OSError):  # not connected any more
            self._connection.shutdown(socket.SHUT_RDWR)  # else it stays open as long as the thread reads
        self._socket.close()

    def _work(self, text: bytes) -> None:
        try:
            if text:
                self._connection.sendall(text)
            for piece in self._pieces():
                self._printed.put(piece)
        except Exception:
            pass
        finally:
            self._printed.put(None)

    def _pieces(self) -> Iterator[tuple[str, bytes]]:
        # Docker's SDK would wait for the network while what came encrypted in one piece is half read.
        while len(header := self._read(_HEADER)) == _HEADER:
            left = int.from_bytes(header[4:], "big")
            while left and (piece := self._connection.recv(min(left, _PIECE))):
                left -= len(piece)
                yield _STREAMS.get(header[0], "stdout"), piece

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (piece := self._connection.recv(size - len(data))):
            data += piece
        return data

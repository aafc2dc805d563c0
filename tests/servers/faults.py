"""A proxy in front of an HTTP server that fails as networks and busy services do, as often as one likes."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal[
    "reset before", "reset after", "swallowed", "busy", "throttled", "truncated", "stall", "copy goes on"
]
FAULTS: tuple[Fault, ...] = (
    "reset before",
    "reset after",
    "swallowed",
    "busy",
    "throttled",
    "truncated",
    "stall",
)

_BUSY = (
    b'<?xml version="1.0" encoding="utf-8"?><Error><Code>ServerBusy</Code><Message>Busy.</Message></Error>'
)


class FaultyProxy:
    """Hands requests on, one after the other on each connection, and injects faults.

    - ``reset before`` resets the connection when the request has come, and the server never sees it;
    - ``reset after`` and ``swallowed`` do so when the server has done it: with a reset, and quietly;
    - ``busy`` and ``throttled`` answer 503 and 429 instead of the server;
    - ``truncated`` ends the connection in the middle of the answer's body;
    - ``stall`` says nothing for ``stalls`` seconds, and hangs up;
    - ``copy goes on``, which is no fault, tells of a copy that was made at once that it is under way.

    :param fault: Given the request's number from 1 on and its first line, says what goes wrong, if anything.
    """

    def __init__(
        self,
        server: str,
        fault: Callable[[int, str], Fault | None] = lambda number, line: None,
        stalls: float = 1.0,
    ) -> None:
        self.fault = fault
        self.stalls = stalls
        self.requests: list[str] = []
        self.injected: list[Fault] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._upstream = urlsplit(server).netloc
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                with proxy._lock:
                    proxy.connections += 1
                self.upstream = http.client.HTTPConnection(proxy._upstream, timeout=30)
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def finish(self) -> None:
                self.upstream.close()
                with contextlib.suppress(OSError):
                    super().finish()

            def hand_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fault = proxy._next(self.requestline)
                self.close_connection = self.close_connection or fault in FAULTS
                if fault == "reset before":
                    return self.reset()
                if fault == "stall":
                    return time.sleep(proxy.stalls)
                if fault in ("busy", "throttled"):
                    return self.answer(
                        503 if fault == "busy" else 429, {"x-ms-error-code": "ServerBusy"}, _BUSY
                    )
                # Each on a connection of its own: the server may have closed one that was kept.
                self.upstream.close()
                self.upstream.request(self.command, self.path, body or None, dict(self.headers.items()))
                response = self.upstream.getresponse()
                content = response.read()
                if fault == "reset after":
                    return self.reset()
                if fault == "swallowed":
                    return None
                headers = dict(response.getheaders())
                if fault == "copy goes on":
                    headers = {
                        name: "pending" if name.lower() == "x-ms-copy-status" else value
                        for name, value in headers.items()
                    }
                cut = len(content) // 2 if fault == "truncated" else None
                return self.answer(response.status, headers, content, cut)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = hand_on

            def answer(
                self, status: int, headers: dict[str, str], content: bytes, cut: int | None = None
            ) -> None:
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() not in (
                        "transfer-encoding",
                        "connection",
                        "content-length",
                        "keep-alive",
                    ):
                        self.send_header(name, value)
                length = len(content)
                if self.command == "HEAD":
                    told = {name.lower(): value for name, value in headers.items()}
                    length = int(told.get("content-length", 0))
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(content[:cut])

            def reset(self) -> None:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: object, address: object) -> None:
                """Clients that are killed hang up."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FaultyProxy:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def through(self, text: str) -> str:
        """A URL or connection string of the server, through this proxy."""
        return text.replace(self._upstream, self.address)

    def _next(self, line: str) -> Fault | None:
        with self._lock:
            self.requests.append(line)
            fault = self.fault(len(self.requests), line)
            if fault is not None:
                self.injected.append(fault)
            return fault

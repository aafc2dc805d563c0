"""A double of a store that takes files by plain PUT and gives them by GET, as presigned addresses do."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class PlainStore:
    """Keeps files by path; the first ``failures`` requests are answered with 503 and ``retry_after``."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.headers: list[dict[str, str]] = []
        self.lines: list[str] = []
        self.failures = 0
        self.retry_after = ""
        self.lock = threading.Lock()
        self.url = ""

    def fails(self) -> bool:
        with self.lock:
            self.failures -= 1
            return self.failures >= 0


@contextmanager
def plain_store(tls: ssl.SSLContext | None = None) -> Iterator[PlainStore]:
    """Start one on a free port, perhaps behind TLS."""
    store = PlainStore()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if self.seen():
                store.files[unquote(urlsplit(self.path).path)] = data
                self.answer(201, b"")

        def do_GET(self) -> None:
            if self.seen():
                data = store.files.get(unquote(urlsplit(self.path).path))
                self.answer(404 if data is None else 200, data or b"")

        def seen(self) -> bool:
            store.headers.append(dict(self.headers.items()))
            store.lines.append(self.requestline)
            if store.fails():
                self.answer(503, b"")
                return False
            return True

        def answer(self, status: int, body: bytes) -> None:
            self.send_response_only(status)
            if store.retry_after and status == 503:
                self.send_header("Retry-After", store.retry_after)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[assignment]  # clients that do not trust it
    store.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()

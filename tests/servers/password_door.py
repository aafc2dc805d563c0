"""A door with a password before a server on loopback, as a proxy is in front of one that knows no users."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def password_door(port: int, user: str, password: str) -> Iterator[str]:
    """Hand requests on to a port, of those who know the password; yields the door's URL."""
    allowed = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"

    class Door(BaseHTTPRequestHandler):
        def _hand_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Authorization") != allowed:
                self.send_error(401)
                return
            behind = HTTPConnection("127.0.0.1", port, timeout=120)
            try:
                behind.request(self.command, self.path, body, _own(dict(self.headers)))
                answer = behind.getresponse()
                told = answer.read()
                self.send_response(answer.status)
                for name, value in _own(dict(answer.getheaders())).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)
            finally:
                behind.close()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _hand_on

        def log_message(self, *ignored: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def _own(headers: dict[str, str]) -> dict[str, str]:
    """Headers without those of one connection only."""
    dropped = ("connection", "transfer-encoding", "content-length", "authorization", "keep-alive")
    return {name: value for name, value in headers.items() if name.lower() not in dropped}

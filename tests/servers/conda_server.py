"""A conda channel that is served with a password, or with a token in its path, as services for teams do."""

from __future__ import annotations

import base64
import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType


class _Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self._is_known():
            super().do_GET()

    def do_HEAD(self) -> None:
        if self._is_known():
            super().do_HEAD()

    def log_message(self, *arguments: object) -> None:
        pass

    def _is_known(self) -> bool:
        server = self.server
        assert isinstance(server, _Server)
        prefix = f"/t/{server.owner.token}/"
        basic = base64.b64encode(f"{server.owner.user}:{server.owner.password}".encode()).decode()
        if self.path.startswith(prefix):
            self.path = "/" + self.path[len(prefix) :]
        elif self.headers.get("Authorization") != f"Basic {basic}":
            self.send_error(401)
            return False
        self.path = self.path.removeprefix("/team")
        server.owner.paths.append(self.path)
        return True


class _Server(ThreadingHTTPServer):
    owner: CondaServer


class CondaServer:
    """Serves a folder on loopback, to those who may."""

    user = "someuser"
    password = "hunter2word"
    token = "xx-0123-token"

    def __init__(self, folder: Path) -> None:
        handler = functools.partial(_Handler, directory=str(folder))
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.owner = self
        self.url = f"http://127.0.0.1:{self._server.server_port}/team"
        self.paths: list[str] = []

    def url_with(self, way: str) -> str:
        """The URL with a ``password`` or a ``token``."""
        if way == "token":
            return self.url.replace("/team", f"/t/{self.token}/team")
        return self.url.replace("://", f"://{self.user}:{self.password}@")

    def served(self, name: str) -> bool:
        """Whether somebody got the file."""
        return any(path.endswith(f"/{name}") for path in self.paths)

    def __enter__(self) -> CondaServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

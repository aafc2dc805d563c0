"""A container registry for the tests: Debian's docker-registry, on loopback; one wants a name and password.

An engine takes registries on loopback without encryption.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import pytest

from servers.debian import ServerMissing, find_or_install, running, skip_or_fail

_CONFIGURATION = """
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
_ASKS = "auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}\n"


@dataclass(frozen=True)
class ImageRegistry:
    """A running registry.

    :param host: Address and port, as names of images begin.
    """

    host: str
    user: str = "tester"
    password: str = "the-registrys-own-password"

    @property
    def auth(self) -> dict[str, str]:
        """For Docker's SDK."""
        return {"username": self.user, "password": self.password}


@pytest.fixture(scope="session")
def image_registry() -> Iterator[ImageRegistry]:
    """A running registry, empty at first."""
    try:
        with _running() as registry:
            yield registry
    except ServerMissing as missing:
        skip_or_fail(missing)


@pytest.fixture(scope="session")
def open_registry() -> Iterator[ImageRegistry]:
    """One that lets everybody in."""
    try:
        with _running(asks=False) as registry:
            yield registry
    except ServerMissing as missing:
        skip_or_fail(missing)


@contextmanager
def _running(asks: bool = True) -> Iterator[ImageRegistry]:
    program = find_or_install(_program, "docker-registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    registry = ImageRegistry(f"127.0.0.1:{port}")
    with tempfile.TemporaryDirectory(prefix="mlsteps-registry-") as name:
        folder = Path(name)
        text = _CONFIGURATION + (_ASKS if asks else "")
        (folder / "config.yml").write_text(text.format(folder=folder, port=port))
        hashed = bcrypt.hashpw(registry.password.encode(), bcrypt.gensalt(4)).decode()
        (folder / "htpasswd").write_text(f"{registry.user}:{hashed}\n")
        command = [str(program), "serve", str(folder / "config.yml")]
        with running(command, folder / "log", lambda: _answers(port)):
            yield registry


def _answers(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def _program() -> Path | None:
    found = shutil.which("docker-registry")
    return Path(found) if found else None

"""Azurite, Microsoft's emulator of Azure Blob Storage, on this machine: to try things, and for the tests."""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from mlsteps.cli.standalone import free_port
from mlsteps.exceptions import MlstepsException

VERSION = "3.35.0"
_ACCOUNT = "mlsteps"


class Azurite:
    """A running Azurite with one account, whose key is made up anew each time.

    :param folder: Where it keeps what it holds.
    :param host: The address of this machine that it listens at; by itself that is loopback.
    :param options: Further ones of its command line.
    """

    scheme = "http"

    def __init__(self, folder: Path, host: str = "127.0.0.1", options: Sequence[str] = ()) -> None:
        self._folder = folder
        self._host = host
        self._options = options
        self._key = base64.b64encode(secrets.token_bytes(64)).decode()
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def connection_string(self) -> str:
        """What opens the account; a secret."""
        return (
            f"DefaultEndpointsProtocol={self.scheme};AccountName={_ACCOUNT};AccountKey={self._key};"
            f"BlobEndpoint={self.url};"
        )

    @property
    def url(self) -> str:
        """Where the account is."""
        return f"{self.scheme}://{self._host}:{self._port}/{_ACCOUNT}"

    def __enter__(self) -> Azurite:
        self.start()
        return self

    def start(self) -> None:
        """Start it, and return when it answers.

        :raises MlstepsException: it cannot be started, or does not answer in time; the text names its log.
        """
        program = azurite_program()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._port = free_port()
        with (self._folder / "azurite.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(program),
                    *("--silent", "--loose", "--skipApiVersionCheck", "--disableTelemetry"),
                    *("--blobHost", self._host, "--blobPort", str(self._port)),
                    *("--location", str(self._folder), *self._options),
                ],
                env={**os.environ, "AZURITE_ACCOUNTS": f"{_ACCOUNT}:{self._key}"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_until_ready()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop it; what it holds stays in its folder."""
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
                self._process.wait(timeout=10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
            break
        self._process = None

    def _wait_until_ready(self, timeout: float = 60.0) -> None:
        assert self._process is not None
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with socket.create_connection((self._host, self._port), timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise MlstepsException(f"Azurite did not start; its log is {self._folder / 'azurite.log'}.")


def azurite_program(tools: Path | None = None) -> Path:
    """Azurite's program: from the PATH, else installed with npm below the user's cache, once.

    :raises MlstepsException: it is not there, and cannot be installed; the text says why.
    """
    found = shutil.which("azurite-blob")
    if found:
        return Path(found)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    folder = (tools or cache / "mlsteps" / "tools") / f"azurite-{VERSION}"
    program = folder / "node_modules" / ".bin" / "azurite-blob"
    if program.exists():
        return program
    npm = shutil.which("npm")
    if npm is None:
        raise MlstepsException(
            "Azurite needs Node.js with npm, which is not on the PATH: install it, or Azurite itself."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # others may be installing it this moment
        if not program.exists():
            _install(npm, folder)
    return program


def _install(npm: str, folder: Path) -> None:
    half = Path(f"{folder}.part")
    shutil.rmtree(half, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    half.mkdir()
    command = [npm, "install", "--no-fund", "--no-audit", "--loglevel=error", f"azurite@{VERSION}"]
    done = subprocess.run(command, cwd=half, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise MlstepsException(f"npm could not install Azurite {VERSION}:\n{done.stderr[-2000:]}")
    half.rename(folder)

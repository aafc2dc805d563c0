"""Database servers from Debian's packages: found or installed, on loopback, in a folder of their own."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

_INSTALL_SECONDS = 300
_START_SECONDS = 60


class ServerMissing(Exception):
    """A server cannot be had on this machine; the text says why."""


def skip_or_fail(missing: ServerMissing) -> NoReturn:
    """Skip the test, or fail it where everything has to be tested."""
    if os.environ.get("CI"):
        raise missing
    pytest.skip(str(missing))


def find_or_install(find: Callable[[], Path | None], package: str) -> Path:
    """What ``find`` finds, after installing a Debian package if it has to be.

    :raises ServerMissing: it is not there and cannot be installed.
    """
    if found := find():
        return found
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ServerMissing(f"Needs the Debian package {package}, or root to install it.")
    with (Path(tempfile.gettempdir()) / "mlsteps-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may be installing it this moment
        return find() or _installed(find, package)


def _installed(find: Callable[[], Path | None], package: str) -> Path:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package],
    ):
        try:
            subprocess.run(
                command, env=environment, timeout=_INSTALL_SECONDS, check=True, capture_output=True
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise ServerMissing(f"apt-get could not install {package}: {error}") from None
    if found := find():
        return found
    raise ServerMissing(f"{package} is installed, but its programs are not where they were expected.")


@contextmanager
def folder_of(user: str | None) -> Iterator[Path]:
    """A temporary folder that belongs to ``user``; None is whoever runs the tests."""
    # Not below pytest's folders, which only root may enter; and short, as paths of sockets are.
    with tempfile.TemporaryDirectory(prefix="mlsteps-db-") as name:
        if user is not None:
            shutil.chown(name, user, user)
        yield Path(name)


def as_user(user: str | None, command: Sequence[str | Path]) -> list[str]:
    """``command``, run by ``user``. The process keeps its id, so that it can be stopped by it."""
    words = [str(word) for word in command]
    if user is None:
        return words
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *words]


@contextmanager
def running(
    command: Sequence[str],
    log: Path,
    is_ready: Callable[[], bool],
    seconds: float = _START_SECONDS,
    environment: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Run a server until the block ends; the block begins when it is ready.

    :param seconds: In which it has to be.
    """
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env=None if environment is None else dict(environment),
        )
    try:
        deadline = time.monotonic() + seconds
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServerMissing(
                    f"{command[0]} does not start:\n{log.read_text(errors='replace')[-2000:]}"
                )
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGINT if "postgres" in " ".join(command) else signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

"""A Docker engine for the tests: the one that runs here, else one of their own; with an image to start
from.

Where ``DOCKER_HOST`` or the usual socket answers, that engine is used. Else, as root, Debian's
``docker.io`` is installed and ``dockerd`` started with everything it writes in a temporary folder: one for
each test process, in a session of its own, without systemd, and gone when the tests are. It is ready in
half a second, and has the image after two more. On a machine that has neither package nor image, getting
them takes one to two minutes; they are begun when the tests have been collected, and the tests that need
them are put last.

What holds in an engine of our own, as tried in a virtual machine with control groups of version 1:

- A memory limit kills (exit code 137, ``OOMKilled``). Limits of processors, processes and shared memory
  hold, and so do ``user``, bind mounts, read-only ones too, and ``init``.
- There is no network but ``none`` and ``host``, as nothing of the machine's own network is changed: use
  ``network_mode="host"``. Publishing ports and names of containers do not work.
- There are no GPUs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from servers.debian import ServerMissing, find_or_install, running, skip_or_fail
from servers.docker_image import IMAGE, install_debootstrap, python_image_tar

if TYPE_CHECKING:
    from docker import DockerClient

_USUAL = "unix:///var/run/docker.sock"
_PREFIX = "mlsteps-docker-"


@dataclass(frozen=True)
class DockerEngine:
    """A running engine.

    :param url: What ``DOCKER_HOST`` would say.
    :param image: An image with ``sh`` and ``python3`` that it has.
    :param own: Whether it is the tests' own; else others may have containers and images in it, too.
    """

    url: str
    image: str
    own: bool

    @contextmanager
    def client(self) -> Iterator[DockerClient]:
        """A client of it."""
        with _client(self.url) as client:
            yield client


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """A running engine; the containers that a test makes are the test's to remove."""
    try:
        with running_engine() as (url, own):
            load_image(url)
            yield DockerEngine(url, IMAGE, own)
    except ServerMissing as missing:
        skip_or_fail(missing)


def begin_early(items: list[pytest.Item]) -> subprocess.Popen[bytes] | None:
    """Begin to get what the engine needs, in a process beside the tests, if one of ``items`` asks for it."""
    if not any(needs_docker(item) for item in items):
        return None
    return subprocess.Popen(
        [sys.executable, "-c", "from servers import docker_engine; docker_engine.prepare()"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def give_up(preparing: subprocess.Popen[bytes]) -> None:
    """Stop what :func:`begin_early` began, should it still run; the next tests begin anew."""
    if preparing.poll() is None:
        preparing.terminate()
    preparing.wait()


def needs_docker(item: pytest.Item) -> bool:
    """Whether a test uses the engine."""
    return "docker_engine" in getattr(item, "fixturenames", ())


def prepare() -> None:
    """Install the engine and make the image, unless they are there."""
    # An installation that is cut short leaves the machine's packages half done.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(ServerMissing):  # the test that needs it says so
        url = _users_engine()
        if url is None:
            find_or_install(_dockerd, "docker.io")
        elif _has_image(url):
            return
        install_debootstrap()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        python_image_tar()


@contextmanager
def running_engine() -> Iterator[tuple[str, bool]]:
    """An engine until the block ends: its URL, and whether it is the tests' own.

    :raises ServerMissing: it cannot be had here.
    """
    url = _users_engine()
    if url is not None:
        yield url, False
        return
    dockerd = find_or_install(_dockerd, "docker.io")
    if os.geteuid() != 0:
        raise ServerMissing("Needs a running Docker engine, or root to start one.")
    _clear_remains()
    problem = None
    for driver in ("overlay2", "vfs"):  # vfs works on any disk, and copies the whole image for each container
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_roomy_memory()))
        try:
            with _own_engine(dockerd, folder, driver) as url:
                yield url, True
                return
        except ServerMissing as missing:
            problem = missing
        finally:
            _remove(folder)
    assert problem is not None
    raise problem


class RestartableEngine:
    """An engine of a test's own, that can die and come back with what it had.

    :param folder: Its own, for everything that it writes.
    """

    def __init__(self, dockerd: Path, folder: Path) -> None:
        self._folder = folder
        self.engine = DockerEngine(f"unix://{folder}/docker.sock", IMAGE, True)
        self._command = _command(dockerd, folder, "overlay2")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers.

        :raises ServerMissing: it does not.
        """
        log = self._folder / "log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        end = time.monotonic() + 30
        while not _answers(self.engine.url):
            if self._process.poll() is not None or time.monotonic() > end:
                raise ServerMissing(f"dockerd does not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it as a crash would: its containers are left running."""
        self._end(signal.SIGKILL)
        # containerd dies with it, and may stay as a zombie, which the next one would take for a running one.
        (self._folder / "exec/containerd/containerd.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """Shut it down in order."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(40)
            self._process = None


@contextmanager
def restartable_engine() -> Iterator[RestartableEngine]:
    """Such an engine, with the image, until the block ends; skips the test where it cannot be had."""
    try:
        dockerd = find_or_install(_dockerd, "docker.io")
        if os.geteuid() != 0:
            raise ServerMissing("Needs root, to start a Docker engine.")
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_roomy_memory()))
        engine = RestartableEngine(dockerd, folder)
        try:
            engine.start()
            load_image(engine.engine.url)
            yield engine
        finally:
            engine.stop()
            _remove(folder)
    except ServerMissing as missing:
        skip_or_fail(missing)


def _clear_remains() -> None:
    """Remove folders of tests that were killed: their engines stopped by themselves, and left them."""
    for parent in filter(None, (_roomy_memory(), tempfile.gettempdir())):
        for folder in Path(parent).glob(f"{_PREFIX}*"):
            # The engine removes the file with its process id when it ends.
            if not (folder / "pid").exists() and folder.stat().st_mtime < time.time() - 600:
                _remove(folder)


def _remove(folder: Path) -> None:
    """Remove an engine's folder, and the mount that containers on the host's network leave there."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in reversed([mount for mount in mounts if mount.startswith(f"{folder}/")]):
        subprocess.run(["umount", mount], capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


def _roomy_memory() -> str | None:
    """A folder in memory, where there is plenty: removing images from a busy disk takes ten seconds."""
    try:
        facts = os.statvfs("/dev/shm")
    except OSError:
        return None
    programs_run = not facts.f_flag & os.ST_NOEXEC
    return "/dev/shm" if programs_run and facts.f_bavail * facts.f_frsize > 8 * 2**30 else None


def _command(dockerd: Path, folder: Path, driver: str) -> list[str]:
    return [
        # Should the tests be killed, it ends as well, and ends its containers.
        *("setpriv", "--pdeathsig=TERM", str(dockerd), "--host", f"unix://{folder}/docker.sock"),
        *("--storage-driver", driver, "--data-root", f"{folder}/data"),
        *("--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"),
        *("--bridge=none", "--iptables=false", "--ip6tables=false", "--shutdown-timeout", "20"),
    ]


@contextmanager
def _own_engine(dockerd: Path, folder: Path, driver: str) -> Iterator[str]:
    url = f"unix://{folder}/docker.sock"
    with running(_command(dockerd, folder, driver), folder / "log", lambda: _answers(url)):
        try:
            yield url
        finally:
            with _client(url) as client:
                for container in client.containers.list(all=True, ignore_removed=True):
                    with contextlib.suppress(Exception):
                        container.remove(force=True)


def _users_engine() -> str | None:
    """The engine that the user has."""
    url = os.environ.get("DOCKER_HOST") or _USUAL
    if url == _USUAL and not Path("/var/run/docker.sock").exists():
        return None
    return url if _answers(url) else None


def _answers(url: str) -> bool:
    if url.startswith("unix://") and not Path(url.removeprefix("unix://")).exists():
        return False
    try:
        with _client(url) as client:
            return bool(client.ping())
    except Exception:
        return False


def _has_image(url: str) -> bool:
    from docker.errors import ImageNotFound

    with _client(url) as client:
        try:
            client.images.get(IMAGE)
        except ImageNotFound:
            return False
        return True


def load_image(url: str) -> None:
    """Have the image in an engine."""
    if _has_image(url):
        return
    tar = python_image_tar()
    name, _, tag = IMAGE.partition(":")
    with _client(url) as client:
        client.api.import_image_from_file(str(tar), repository=name, tag=tag, changes=["ENV LANG=C.UTF-8"])


@contextmanager
def _client(url: str) -> Iterator[DockerClient]:
    import docker

    client = docker.DockerClient(base_url=url, timeout=60)
    try:
        yield client
    finally:
        client.close()


def _dockerd() -> Path | None:
    found = shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return Path(found) if found and shutil.which("containerd") else None

"""A machine at the other end of an SSH connection: its programs and files."""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import shlex
import tarfile
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.compute.lines import LineReader
from mlsteps.compute.remote.channels import follow
from mlsteps.compute.remote.connection import lost, talking
from mlsteps.compute.remote.tar_streams import TarOutput, pack, unpack
from mlsteps.compute.remote.tool import tool_zip
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from paramiko import Channel, SSHClient

_SECONDS = 60.0


class ThereFailed(Exception):
    """A program there ended with an error; the text is what it said."""


class Machine:
    """Runs programs there and moves files.

    :param name: Of the compute target, for errors.
    :param python: Its interpreter, with Python 3.9 or newer.
    :param work_directory: A folder there that is kept; ``~`` is the user's own.
    :raises ComputeTargetException: it has no such Python or folder, or the connection was lost.
    """

    def __init__(self, name: str, client: SSHClient, python: str, work_directory: str) -> None:
        self._where = f"Compute target {name!r}"
        transport = client.get_transport()
        assert transport is not None
        self._transport = transport
        with talking("opening a session"):
            self.sftp = client.open_sftp()
        channel = self.sftp.get_channel()
        assert channel is not None
        channel.settimeout(_SECONDS)
        with talking("looking at it"):
            self._home = self.sftp.normalize(".")
        self._python = self.expand(python)
        self.work_directory = self.expand(work_directory)
        self._tool = self.keep(tool_zip(), "programs")
        self.facts = self.probe("")
        self._python = str(self.facts["python"])  # what was asked for may be a script that looks for one

    @property
    def is_connected(self) -> bool:
        """Whether the connection still stands."""
        return bool(self._transport.is_active())

    def expand(self, path: str) -> str:
        """With the user's own folder in place of ``~``; what is relative is relative to that folder."""
        if path == "~" or path.startswith("~/"):
            return f"{self._home}{path[1:]}"
        return posixpath.join(self._home, path) if "/" in path else path

    def probe(self, minor: str) -> dict[str, Any]:
        """What it has: ``python`` and its ``minor`` version, ``uv``, ``variables``.

        :param minor: The version of Python that ``wanted`` in the answer is, or None if there is none.
        """
        try:
            return dict(self.ask("probe", self.work_directory, minor))
        except ThereFailed as error:
            raise ComputeTargetException(
                f"{self._where}: {self._python!r} does not run there, or is too old: {error}. Set python to "
                f"the path of a Python 3.9 or newer on that machine."
            ) from None

    def start(self, *words: str) -> Channel:
        """Start a verb of :mod:`mlsteps.compute.remote.there`."""
        with talking(f"starting {words[0]!r}"):
            channel = self._transport.open_session(timeout=_SECONDS)
            channel.settimeout(_SECONDS)
            channel.exec_command(f"exec {shlex.join([self._python, '-I', '-S', self._tool, *words])}")
        return channel

    def ask(
        self,
        *words: str,
        given: bytes = b"",
        on_line: Callable[[str], None] | None = None,
        stopped: Callable[[], bool] = lambda: False,
        stays_open: bool = False,
    ) -> Any:
        """Run a verb to its end, and return the JSON that it prints.

        :param given: For its standard input.
        :param on_line: Gets what it says on standard error.
        :param stopped: When it says so, its standard input is closed.
        :param stays_open: Whether that is left open until then.
        :raises ThereFailed: with what it said.
        """
        out, said = bytearray(), list[str]()

        def told(line: str) -> None:
            said.append(line)
            if on_line is not None:
                on_line(line)

        channel = self.start(*words)
        reader = LineReader(told)
        with talking(f"running {words[0]!r}"):
            channel.sendall(given)
            closed = not stays_open
            if closed:
                channel.shutdown_write()

            def look() -> None:
                nonlocal closed
                if not closed and stopped():
                    closed = True
                    channel.shutdown_write()

            code = follow(channel, out.extend, reader.feed, look)
        reader.close()
        if code == -1:
            raise lost(f"running {words[0]!r}")
        if code != 0:
            raise ThereFailed("\n".join(said[-30:]) or f"exit code {code}")
        return json.loads(out.splitlines()[-1]) if out else None

    # Files

    def keep(self, content: bytes | Path, folder: str) -> str:
        """The path there of a zip file that is kept between jobs under the hash of its content."""
        data = content.read_bytes() if isinstance(content, Path) else content
        path = f"{self.work_directory}/{folder}/{hashlib.sha256(data).hexdigest()[:32]}.zip"
        with talking("sending files"):
            try:
                if self.sftp.stat(path).st_size == len(data):
                    self.sftp.utime(path, None)
                    return path
            except FileNotFoundError:
                pass
            part = f"{path}.{uuid.uuid4().hex}"
            try:
                self._make_folder(posixpath.dirname(path))
                self.sftp.putfo(io.BytesIO(data), part, len(data))  # and compares the size
                self.sftp.posix_rename(part, path)
            except OSError as error:
                raise self._unwritable(path, error) from None
        return path

    def send_tree(self, source: Path, target: str, end: Callable[[], None]) -> None:
        """Send a folder's files as one stream into a folder there; number and size of files are compared.

        :param end: Called now and then; raises to give up.
        """
        paths = sorted(path for path in source.rglob("*") if path.name != "owner.lock")
        files = [path.stat().st_size for path in paths if path.is_file()]
        channel = self.start("receive", target)
        out, said = bytearray(), bytearray()
        # Both directions at once: who complains early about a full disk reads no more.
        thread = threading.Thread(target=pack, args=(channel, source, paths), daemon=True)
        thread.start()
        try:
            with talking("sending files"):
                code = follow(channel, out.extend, said.extend, end)
        finally:
            channel.close()
            thread.join(_SECONDS)
        if code == -1:
            raise lost("sending files")
        if code != 0:
            raise self._unwritable(target, said.decode(errors="replace").strip())
        told = json.loads(out)
        if (told["files"], told["size"]) != (len(files), sum(files)):
            raise ComputeTargetException(
                f"{self._where}: {len(files)} files of {sum(files)} bytes were sent, and {told['files']} of "
                f"{told['size']} bytes arrived. Try again."
            )

    def fetch(self, folder: str, names: Sequence[str], target: Path, end: Callable[[], None]) -> None:
        """Fetch files, and folders with all in them, that lie below a folder there.

        :param end: Called now and then; raises to give up.
        """
        channel = self.start("send", folder)
        with talking("fetching files"):
            channel.sendall(json.dumps(list(names)).encode())
            channel.shutdown_write()
            with tarfile.open(fileobj=TarOutput(channel, end), mode="r|") as archive:  # type: ignore[call-overload]
                try:
                    for member in archive:
                        unpack(archive, member, target)
                except tarfile.TarError as error:
                    raise lost("fetching files", error) from None
            said = bytearray()
            code = follow(channel, lambda _: None, said.extend)
        if code != 0:
            text = said.decode(errors="replace").strip()
            raise ComputeTargetException(f"{self._where}: the job's files cannot be read there: {text}")

    def _make_folder(self, path: str) -> None:
        try:
            self.sftp.stat(path)
        except FileNotFoundError:
            self._make_folder(posixpath.dirname(path))
            try:
                self.sftp.mkdir(path, 0o700)
            except OSError:
                self.sftp.stat(path)  # somebody else was faster

    def _unwritable(self, path: str, error: object) -> ComputeTargetException:
        text = str(error)
        advice = "Set work_directory to a folder that the user of the connection may write to."
        if "No space left" in text or text in ("Failure", "[Errno None] Failure"):
            advice = "Is there space left on that disk? Make some, or set work_directory to another disk."
        return ComputeTargetException(f"{self._where}: {path} cannot be written there: {text}. {advice}")

"""The launcher at work on another machine: followed, stopped, its results fetched and looked at."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mlsteps.compute.job import JobWatcher
from mlsteps.compute.lines import LineReader
from mlsteps.compute.local_process import JournalTail, supervisor_is_gone
from mlsteps.compute.remote.channels import follow
from mlsteps.compute.remote.connection import lost, talking
from mlsteps.compute.remote.machine import Machine
from mlsteps.exceptions import ComputeTargetException
from mlsteps.launcher.manifest import build_manifest, read_manifest
from mlsteps.launcher.result import JobResult
from mlsteps.run.protocol import JOURNAL_FILE

if TYPE_CHECKING:
    from mlsteps.compute.placement import Placement

_JOURNAL_SECONDS = 2.0
# The launcher is asked to end the script and has until then; Airflow kills a task five seconds after asking.
_PATIENCE = 4.3
_CLEARING_SECONDS = 60.0


@contextlib.contextmanager
def held_folder(machine: Machine, job: str, watcher: JobWatcher) -> Iterator[PurePosixPath]:
    """A folder there for one job. It is deleted afterwards, also when this process dies."""
    channel = machine.start("hold", machine.work_directory, job)
    with talking("making the job's folder"):
        told = bytearray()
        channel.settimeout(None)  # a job of the same name may have to end first
        while not told.endswith(b"\n") and (piece := channel.recv(4096)):
            told += piece
        if not told:
            said = channel.recv_stderr(4096).decode(errors="replace").strip()
            raise ComputeTargetException(f"The job's folder cannot be made there: {said}")
    try:
        yield PurePosixPath(json.loads(told)["folder"])
    finally:
        with contextlib.suppress(Exception):  # then it is deleted without us
            channel.shutdown_write()
            # A task that is stopped has no time for this; the machine does it without us.
            channel.status_event.wait(0 if watcher.stopped else _CLEARING_SECONDS)


class RemoteRun:
    """Sends a job's folder, runs the launcher there, and fetches what it made.

    The launcher's standard input is the SSH channel. When this process dies, even by SIGKILL, the SSH server
    closes it, and the launcher ends the script.
    """

    def __init__(self, machine: Machine, placed: Placement, job_file: Path, result: Path) -> None:
        assert placed.elsewhere is not None
        self._machine, self._placed, self._result = machine, placed, result
        self._there = placed.elsewhere
        self._job_file = str(self._there.folder / job_file.name)
        self._asked: float | None = None

    def run(self, watcher: JobWatcher, journal: Path) -> JobResult:
        """Run to the end, telling ``watcher`` of output and events on the way.

        :raises ComputeTargetException: the connection was lost, or a file is not what it should be.
        """
        folder = str(self._there.folder)
        watcher.stop_with(self._ask_to_stop)
        try:
            with watcher.phase("send"):
                self._machine.send_tree(self._placed.folder, folder, self._check)
            code = self._follow(watcher, journal)
            with watcher.phase("fetch"):
                self._machine.fetch(
                    folder, ["result.json", "run", "kept", "manifests"], self._placed.folder, self._check
                )
                if not self._result.is_file():
                    return self._without_result(code, watcher)
                result = JobResult.from_json(self._result.read_text("utf-8"))
                if result.succeeded:
                    self._fetch_outputs()
            return result
        except _Overdue:
            return JobResult(stopped="terminated")
        finally:
            watcher.stop_with(None)

    def _ask_to_stop(self) -> None:
        # Called by a signal handler, so nothing is done here: what follows the launcher looks at this.
        if self._asked is None:
            self._asked = time.monotonic()

    def _check(self) -> None:
        if self._asked is not None and time.monotonic() - self._asked > _PATIENCE:
            raise _Overdue

    def _follow(self, watcher: JobWatcher, journal: Path) -> int:
        channel = self._machine.start(
            "run", str(self._there.folder), self._there.launcher_zip, self._job_file
        )
        tail = _RemoteJournal(self._machine, str(self._there.folder / "run" / JOURNAL_FILE), journal, watcher)
        out = LineReader(lambda line: watcher.on_line("stdout", line))
        err = LineReader(lambda line: watcher.on_line("stderr", line))
        told = False

        def look() -> None:
            nonlocal told
            if supervisor_is_gone(watcher):
                watcher.stop()
            if self._asked is not None and not told:
                told = True
                channel.shutdown_write()  # the launcher's lifeline
            self._check()
            if self._asked is None:
                tail.poll()

        with talking("the script was running"), contextlib.ExitStack() as stack:
            stack.callback(out.close)
            stack.callback(err.close)
            stack.callback(channel.close)
            code = follow(channel, out.feed, err.feed, look)
        if code == -1 and not self._machine.is_connected:
            raise lost("the script was running")
        return code

    def _without_result(self, code: int, watcher: JobWatcher) -> JobResult:
        if watcher.stopped:
            return JobResult(stopped="terminated")
        raise ComputeTargetException(
            f"The launcher ended there {f'with exit code {code}' if code >= 0 else 'by a signal'} and left "
            f"no result; see its output above. Somebody killed it, or memory or disk space ran out."
        )

    def _fetch_outputs(self) -> None:
        """Fetch what the manifests list, and compare it with them."""
        placed = self._placed
        manifests = {
            port.name: read_manifest(placed.manifests / f"{port.name}.json") for port in placed.job.outputs
        }
        names = []
        for name, manifest in manifests.items():
            top = placed.output_paths[name]
            if manifest.kind == "directory":
                top.mkdir(parents=True, exist_ok=True)
            names += [(top / entry.path).relative_to(placed.folder).as_posix() for entry in manifest.files]
        if names:
            self._machine.fetch(str(self._there.folder), names, placed.folder, self._check)
        for name, manifest in manifests.items():
            if build_manifest(placed.output_paths[name]) != manifest:
                raise ComputeTargetException(
                    f"Output {name!r}: what arrived is not what the script's machine has sent: the digests "
                    f"differ. Something still writes to it there, or the transfer failed; try again."
                )


class _Overdue(Exception):
    """The script should have ended by now."""


class _RemoteJournal:
    """Fetches what was added to a journal there, and tells a watcher of it."""

    def __init__(self, machine: Machine, there: str, here: Path, watcher: JobWatcher) -> None:
        self._machine, self._there, self._here = machine, there, here
        self._tail = JournalTail(here, watcher)
        self._size = 0
        self._next = time.monotonic() + _JOURNAL_SECONDS

    def poll(self) -> None:
        """Look, if it is time to."""
        if time.monotonic() < self._next:
            return
        with contextlib.suppress(FileNotFoundError):
            # Asked even without news: this is how a machine is noticed that answers no more.
            size = self._machine.sftp.stat(self._there).st_size or 0
            if size > self._size:
                with self._machine.sftp.open(self._there, "rb") as file:
                    file.seek(self._size)
                    data = file.read(size - self._size)
                with self._here.open("ab") as copy:
                    copy.write(data)
                self._size += len(data)
        self._next = time.monotonic() + _JOURNAL_SECONDS
        self._tail.poll()

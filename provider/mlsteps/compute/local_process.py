"""The launcher as a child of this process: its output line by line, its journal, its end."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from mlsteps.compute.job import JobWatcher
from mlsteps.compute.lines import LineReader
from mlsteps.exceptions import ComputeTargetException
from mlsteps.launcher.result import JobResult
from mlsteps.run.journal import read_events

_CHUNK = 1 << 16
# How often what the script logs is looked for; metrics of a running step are at most this old in its record.
_JOURNAL_SECONDS = 2.0

STOPPING = "stopping the script"


class LauncherProcess:
    """Starts the launcher on a job file and stays with it until its end.

    The launcher's standard input is a pipe that this process holds open and never writes to: when this
    process dies, even by SIGKILL, the system closes it, and the launcher ends the script.
    """

    def __init__(self, launcher: Path, job_file: Path, result_file: Path) -> None:
        self._command = [sys.executable, "-I", "-S", str(launcher), str(job_file)]
        self._result_file = result_file

    def run(self, watcher: JobWatcher, journal: Path) -> JobResult:
        """Run to the end, telling ``watcher`` of output and events on the way.

        :raises ComputeTargetException: the launcher itself broke.
        """
        with subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", "")},
        ) as process:
            watcher.stop_with(lambda: _terminate(process))
            try:
                self._follow(process, watcher, journal)
                exit_code = process.wait()
            except BaseException:
                _terminate(process)
                raise
            finally:
                watcher.stop_with(None)
        if not self._result_file.is_file():
            if watcher.stopped:  # before the launcher was ready to be told so
                return JobResult(stopped="terminated")
            raise ComputeTargetException(
                f"The launcher ended with exit code {exit_code} and left no result; see its output above."
            )
        return JobResult.from_json(self._result_file.read_text("utf-8"))

    def _follow(self, process: subprocess.Popen[bytes], watcher: JobWatcher, journal: Path) -> None:
        assert process.stdout is not None and process.stderr is not None
        events = JournalTail(journal, watcher)
        with selectors.DefaultSelector() as selector:
            for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
                reader = LineReader(lambda line, name=name: watcher.on_line(name, line))  # type: ignore[misc]
                selector.register(pipe, selectors.EVENT_READ, reader)
            while selector.get_map():
                for key, _ in selector.select(timeout=_JOURNAL_SECONDS):
                    pipe_end: IO[bytes] = key.fileobj  # type: ignore[assignment]
                    data = os.read(pipe_end.fileno(), _CHUNK)
                    if data:
                        key.data.feed(data)
                    else:
                        key.data.close()
                        selector.unregister(pipe_end)
                events.poll()
                if supervisor_is_gone(watcher):
                    watcher.stop()


def supervisor_is_gone(watcher: JobWatcher, so: str = STOPPING) -> bool:
    """Whether nobody answers for this process any more, so that the task will be tried again elsewhere.

    :param so: What becomes of the job then, for the log.
    """
    if watcher.stopped or watcher.supervisor in (None, os.getppid()):
        return False
    watcher.on_line("mlsteps", f"Whoever supervises this task is gone: {so}.")
    return True


class JournalTail:
    """Tells a watcher what was added to a journal, not more often than every few seconds."""

    def __init__(self, journal: Path, watcher: JobWatcher) -> None:
        self._journal, self._watcher = journal, watcher
        self._size = 0
        self._seen = 0
        self._next = time.monotonic() + _JOURNAL_SECONDS

    def poll(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _JOURNAL_SECONDS
        with contextlib.suppress(FileNotFoundError):
            size = self._journal.stat().st_size
            if size != self._size:
                self._size = size
                events = read_events(self._journal)
                self._watcher.on_events(events[self._seen :])
                self._seen = len(events)


def _terminate(process: subprocess.Popen[bytes]) -> None:
    """Ask the launcher to end the script; it sees to it that this takes less than five seconds."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)

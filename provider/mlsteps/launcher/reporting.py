"""Tells a store how a job goes: logs and journal while it runs, at the end what it keeps and its result."""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from mlsteps.exceptions import MlstepsException
from mlsteps.launcher.growing import GrowingFile
from mlsteps.launcher.places import WebLimits
from mlsteps.launcher.redaction import redacted
from mlsteps.launcher.remote import writer_for
from mlsteps.launcher.sending import send_files
from mlsteps.launcher.web import Cancelled, Web
from mlsteps.launcher.workplace import UPLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlsteps.launcher.job import Job
    from mlsteps.launcher.places import Place, ReportSpec

JOURNAL = "journal.jsonl"
"""Name in the run directory, as ``mlsteps.run.protocol`` has it, which is not known here."""
LOGS = ("stdout.log", "stderr.log")
RESULT = "result.json"

_ATTEMPTS_ON_THE_WAY = 2  # what does not arrive now is sent a few seconds later


class Reporter:
    """Reports on one job.

    Args:
        job: It must have a ``report``.
    """

    def __init__(self, job: Job) -> None:
        assert job.report is not None
        self._job, self._spec = job, job.report
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._growing = list(self._growing_files(self._spec))

    def start(self) -> None:
        """Begin to send what changes; must not be called before the script has started."""
        self._thread = threading.Thread(target=self._follow, name="report", daemon=True)
        self._thread.start()

    def finish(self) -> list[str]:
        """Send everything that is kept; return in words what could not be sent.

        Raises:
            Cancelled: It was given up.
        """
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        web = Web(self._job.web, self._cancelled)
        problems = []
        for growing in self._growing:
            try:
                growing.send(web, last=True)
            except (MlstepsException, OSError) as error:
                problems.append(f"A log could not be sent: {error}")
        try:
            send_files(self._kept(problems), web, lambda count: None)
        except (MlstepsException, OSError) as error:
            problems.append(f"Not everything that is kept could be sent: {error}")
        return [redacted(problem) for problem in problems[:20]]

    def give_up(self) -> None:
        """Let what is being sent end soon."""
        self._ended.set()
        self._cancelled.set()

    def _follow(self) -> None:
        usual = self._job.web or WebLimits()
        limits = replace(usual, attempts=min(_ATTEMPTS_ON_THE_WAY, usual.attempts))
        web = Web(limits, self._ended)
        while not self._ended.wait(self._spec.seconds):
            for growing in self._growing:
                try:
                    growing.send(web)
                except Cancelled:
                    return
                except (MlstepsException, OSError):
                    pass  # on the way it is the best that can be done; the end tells

    def _growing_files(self, spec: ReportSpec) -> Iterator[GrowingFile]:
        # The journal first: it is what people look at while a step runs.
        if spec.run_directory is not None:
            place = spec.place.below(f"run/{JOURNAL}")
            yield GrowingFile(os.path.join(spec.run_directory, JOURNAL), place)
        for name in LOGS:
            yield GrowingFile(os.path.join(self._job.log_directory, name), spec.place.below(name))

    def _kept(self, problems: list[str]) -> Iterator[tuple[str, str, Place]]:
        job, place = self._job, self._spec.place
        folders = []
        for folder in job.keep:
            kept = os.path.join(job.keep_to or job.working_directory, folder)
            there = os.path.isdir(kept)  # else there was no time, or no way, to carry it there
            folders.append(
                (f"files/{folder}", kept if there else os.path.join(job.working_directory, folder))
            )
        if self._spec.run_directory is not None:
            folders.append((f"run/{UPLOADS}", os.path.join(self._spec.run_directory, UPLOADS)))
        for name, folder in folders:
            for path in sorted(_files_in(folder, problems)):
                below = os.path.relpath(path, folder).replace(os.sep, "/")
                name_there = os.fsencode(f"{name}/{below}").decode("utf-8", "surrogateescape")
                yield name_there, path, place.below(name_there)


def send_result(job: Job, text: str, cancelled: threading.Event | None = None) -> None:
    """Send the result of ``job``, last of all. Raises ``MlstepsException`` or `Cancelled`."""
    assert job.report is not None
    place = job.report.place.below(RESULT)
    writer_for(place).put(Web(job.web, cancelled), place, text.encode())


def _files_in(folder: str, problems: list[str]) -> Iterator[str]:
    """All files that can be sent; a link is followed to a file, not to a folder."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            try:
                mode = os.stat(path).st_mode
            except OSError as error:
                problems.append(f"{path!r} could not be kept: {error.strerror or error}")
                continue
            if stat.S_ISREG(mode):
                yield path

"""What a job told its staging area: how it goes, and at the end its result, logs and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mlsteps.compute.kept_files import keep_files
from mlsteps.compute.staging import THREADS
from mlsteps.data.local_paths import path_below
from mlsteps.exceptions import UserErrorException
from mlsteps.launcher.parallel import by_threads
from mlsteps.launcher.result import JobResult
from mlsteps.run.journal import read_events
from mlsteps.run.protocol import JOURNAL_FILE

if TYPE_CHECKING:
    from mlsteps.compute.job import JobWatcher
    from mlsteps.data.stores import Store

REPORT = "report"
_LOGS = ("stdout.log", "stderr.log")


class Report:
    """Reads it.

    :param area: The staging area.
    :param folder: Where in it.
    """

    def __init__(self, area: Store, folder: str = REPORT) -> None:
        self._area, self._folder = area, folder
        self._journal, self._result = f"{folder}/run/{JOURNAL_FILE}", f"{folder}/result.json"
        self._version: str | None = None
        self._told = 0

    def result(self) -> JobResult | None:
        """How the job ended; None if it said nothing of that."""
        try:
            return JobResult.from_json(self._area.read(self._result).decode())
        except FileNotFoundError:
            return None

    def tell_events(self, watcher: JobWatcher) -> None:
        """Tell what the script has logged since the last call."""
        if events := self.new_events():
            watcher.on_events(events)

    def new_events(self) -> Sequence[Mapping[str, Any]]:
        """What the script has logged since the last call."""
        info = self._area.stat(self._journal)
        if info is None:
            return ()
        state = info.version or f"{info.size} bytes"
        if state == self._version:
            return ()
        self._version = state
        with TemporaryDirectory(prefix="mlsteps-") as folder:
            self._area.get_file(self._journal, Path(folder) / JOURNAL_FILE)
            events = read_events(Path(folder) / JOURNAL_FILE)
        told, self._told = self._told, len(events)
        return events[told:]

    def printed(self, stream: str) -> list[str]:
        """The lines of ``stdout`` or ``stderr`` as far as they arrived."""
        try:
            return self._area.read(f"{self._folder}/{stream}.log").decode("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return []

    def gather(self, folder: Path, watcher: JobWatcher) -> tuple[Mapping[str, Any], ...]:
        """Fetch all of it and hand it to ``watcher``; returns all events.

        What is there is the script's word, or that of whoever came by its signature: names that lead out of
        the folder, or that no file can have beside the others, are told of and left.

        :param folder: For this; logs may lie in its ``kept``.
        """
        kept, run = folder / "kept", folder / "run"

        def fetch(path: str) -> str | None:
            below = path.removeprefix(f"{self._folder}/")
            in_run = below.startswith("run/")
            try:
                target = path_below(run if in_run else kept, below[4:] if in_run else below, "A file")
                self._area.get_file(path, target)
            except (
                UserErrorException,
                FileNotFoundError,
                FileExistsError,
                NotADirectoryError,
                IsADirectoryError,
            ):
                return path
            return None

        listed = [info.path for info in self._area.list(self._folder) if info.path != self._result]
        kept.mkdir(parents=True, exist_ok=True)
        for log in _LOGS if listed else ():  # one that is empty is not sent
            (kept / log).touch()
        for left in by_threads(fetch, listed, THREADS):
            if left is not None:
                watcher.on_line("mlsteps", f"{left!r} is not kept: it is no file of the run.")
        return keep_files(folder, kept, run / JOURNAL_FILE, watcher)

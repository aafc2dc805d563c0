"""What a job told its staging area: how it goes, and at the end its result, logs and files."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mlsteps.compute.staging import THREADS
from mlsteps.launcher.result import JobResult
from mlsteps.run.journal import read_events
from mlsteps.run.protocol import JOURNAL_FILE, EventKind

if TYPE_CHECKING:
    from mlsteps.compute.job import JobWatcher
    from mlsteps.data.stores import Store

REPORT = "report"
_JOURNAL = f"{REPORT}/run/{JOURNAL_FILE}"
_RESULT = f"{REPORT}/result.json"


class Report:
    """Reads it.

    :param area: The staging area.
    """

    def __init__(self, area: Store) -> None:
        self._area = area
        self._version: str | None = None
        self._told = 0

    def result(self) -> JobResult | None:
        """How the job ended; None if it said nothing of that."""
        try:
            return JobResult.from_json(self._area.read(_RESULT).decode())
        except FileNotFoundError:
            return None

    def tell_events(self, watcher: JobWatcher) -> None:
        """Tell what the script has logged since the last call."""
        if events := self.new_events():
            watcher.on_events(events)

    def new_events(self) -> Sequence[Mapping[str, Any]]:
        """What the script has logged since the last call."""
        info = self._area.stat(_JOURNAL)
        if info is None or info.version == self._version:
            return ()
        self._version = info.version
        with TemporaryDirectory(prefix="mlsteps-") as folder:
            self._area.get_file(_JOURNAL, Path(folder) / JOURNAL_FILE)
            events = read_events(Path(folder) / JOURNAL_FILE)
        told, self._told = self._told, len(events)
        return events[told:]

    def printed(self, stream: str) -> list[str]:
        """The lines of ``stdout`` or ``stderr`` as far as they arrived."""
        try:
            return self._area.read(f"{REPORT}/{stream}.log").decode("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return []

    def gather(self, folder: Path) -> tuple[Path, tuple[Mapping[str, Any], ...]]:
        """Fetch all of it.

        :param folder: For this.
        :returns: a folder as ``JobWatcher.keep_files`` takes it, and all events.
        """
        listed = [info.path for info in self._area.list(REPORT) if info.path != _RESULT]
        with ThreadPoolExecutor(THREADS, thread_name_prefix="gathering") as pool:
            for _ in pool.map(lambda path: self._area.get_file(path, folder / path), listed):
                pass
        kept = folder / REPORT
        kept.mkdir(parents=True, exist_ok=True)
        events = tuple(read_events(folder / _JOURNAL))
        _place_uploads(events, kept)
        shutil.rmtree(kept / "run", ignore_errors=True)
        return kept, events


def _place_uploads(events: Sequence[Mapping[str, Any]], kept: Path) -> None:
    """Put files that the script uploaded beside its kept ``outputs`` and ``logs``; an upload wins."""
    for event in events:
        source = kept / "run" / str(event.get("path"))
        if event.get("event") == EventKind.UPLOAD and source.is_file():  # it may not have been sent any more
            target = kept / "files" / event["name"]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

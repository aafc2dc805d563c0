"""The files of a script that are kept with its record: its outputs and logs, and what it uploaded."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlsteps.compute.confinement import is_below
from mlsteps.compute.job import JobWatcher
from mlsteps.run.journal import read_events
from mlsteps.run.protocol import EventKind


def keep_files(folder: Path, kept: Path, journal: Path, watcher: JobWatcher) -> tuple[Mapping[str, Any], ...]:
    """Hand a script's files to ``watcher``, and return the events that it logged.

    :param folder: The job's. A path that leads out of it, such as a link that the script made, is not kept.
    :param kept: What the launcher gathered in it.
    :param journal: What the script logged.
    """
    events = tuple(read_events(journal))
    for event in events:
        if event.get("event") == EventKind.UPLOAD and not _gather(event, folder, kept, journal.parent):
            told = f"The upload {event.get('name')!r} is not kept: it is no file of the run."
            watcher.on_line("mlsteps", told)
    if is_below(kept, [folder]):
        watcher.keep_files(kept)
    return events


def _gather(event: Mapping[str, Any], folder: Path, kept: Path, run_directory: Path) -> bool:
    """Put an upload beside the other files; it wins. The event is the script's word, which may be a lie."""
    source = run_directory / str(event.get("path"))
    target = kept / "files" / str(event.get("name"))
    try:
        if not (source.is_file() and is_below(source, [folder])):
            return False
        if not (is_below(kept, [folder]) and is_below(target, [kept])) or target.is_dir():
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    except (ValueError, FileExistsError, NotADirectoryError):  # no name that a file can have there
        return False
    return True

"""States of the files of a folder: texts that are other ones when a file was written anew."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mlsteps.launcher import atomic

if TYPE_CHECKING:
    from mlsteps.data.stores import Store


def file_states(store: Store, folder: str) -> dict[str, str]:
    """States of the files directly in a folder of a store, by their paths on it; empty if there is none."""
    local = store.local_path(folder)
    if local is not None:
        below = f"{folder}/" if folder else ""
        return {f"{below}{name}": state for name, state in _local(local).items()}
    found = {}
    for info in store.list(folder):
        below = info.below(folder)
        if below and "/" not in below:
            found[info.path] = f"{info.version or info.content or ''} {info.size}"
    return found


def _local(folder: Path) -> dict[str, str]:
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found = {}
    for entry in entries:
        try:
            if entry.is_file() and not atomic.TEMPORARY.fullmatch(entry.name):
                # Not the one of scandir, which on some systems is not the newest.
                stat = os.stat(entry.path)
                found[entry.name] = f"{stat.st_ino} {stat.st_mtime_ns} {stat.st_size}"
        except OSError:  # gone meanwhile
            continue
    return found

"""Files for MLflow: laid out in a folder of this machine, but for those that are too large."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlsteps.data.local_paths import path_below

if TYPE_CHECKING:
    from mlsteps.data.stores import FileInfo, Store


@dataclass(frozen=True)
class LaidOut:
    """What can be sent of some files.

    :param folder: Where they are, as the run's artifacts shall be; not there if none is.
    :param left: Those that stay where they are: their URL by name.
    """

    folder: Path
    left: Mapping[str, str] = field(default_factory=dict)

    def has(self, path: str) -> bool:
        """Whether a file, or all of a folder, can be sent."""
        if not (self.folder / path).exists():
            return False
        return not any(name == path or name.startswith(f"{path}/") for name in self.left)


def lay_out(store: Store, at: str, folder: Path, most_bytes: float, until: float, below: str = "") -> LaidOut:
    """Lay out the files of a place, without copying those that are on this machine already.

    :param at: The place on the store.
    :param folder: Does not exist yet.
    :param most_bytes: Of one file; larger ones are left.
    :param until: When the time for it is over, by the monotonic clock; the rest is left.
    :param below: A name that stands before theirs.
    """
    left = {}
    for file, name in _named(store, at, below):
        if file.size > most_bytes or time.monotonic() > until:
            left[name] = store.url(file.path)
            continue
        place = path_below(folder, name, f"{file.path} for MLflow")
        place.parent.mkdir(parents=True, exist_ok=True)
        here = store.local_path(file.path)
        if here is None:
            store.get_file(file.path, place)
        else:
            place.symlink_to(here)
    return LaidOut(folder, left)


def _named(store: Store, at: str, below: str) -> Iterator[tuple[FileInfo, str]]:
    for file in store.list(at):
        yield file, "/".join(filter(None, (below, file.below(at))))

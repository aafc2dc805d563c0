"""Files of the registry, kept on this machine once they were read: none of them is ever replaced."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mlsteps.launcher import atomic
from mlsteps.launcher.parallel import by_threads

if TYPE_CHECKING:
    from mlsteps.data.stores import Store

_AT_ONCE = 16


class RegistryFiles:
    """Reads small files of a store.

    :param store: One that is a folder of this machine is read in place.
    :param folder: Where files are kept.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def read(self, path: str) -> bytes:
        """A file's bytes. Raises FileNotFoundError."""
        if self._store.local_path(path) is not None:
            return self._store.read(path)
        kept = self._folder / path
        with suppress(FileNotFoundError):
            return kept.read_bytes()
        data = self._store.read(path)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(kept) as out:
            out.write(data)
        return data

    def fetch(self, paths: Iterable[str]) -> None:
        """Read files that are not kept here yet, several at a time; one that is missing shows when read."""
        missing = [
            path
            for path in dict.fromkeys(paths)
            if self._store.local_path(path) is None and not (self._folder / path).is_file()
        ]
        for _ in by_threads(self._try, missing, _AT_ONCE):
            pass

    def _try(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self.read(path)

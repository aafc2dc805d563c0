"""Files that only the destination has: remembered while the rest is copied, deleted at the end."""

from __future__ import annotations

import json
import tempfile
from concurrent.futures import Future, wait
from contextlib import suppress
from types import TracebackType

from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.data.transfer.listings import Place
from mlsteps.data.transfer.names import NameCheck
from mlsteps.data.transfer.work import Work
from mlsteps.exceptions import DatastoreException

_IN_MEMORY = 1 << 20
_AT_ONCE = 1000


class Extras:
    """The paths of such files. They are gone last, so that a transfer that fails has deleted nothing."""

    def __init__(self, source: Place, target: Place, names: NameCheck, work: Work) -> None:
        self._source = source
        self._target = target
        self._names = names
        self._work = work
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="ascii")  # noqa: SIM115

    def __enter__(self) -> Extras:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, path: str) -> None:
        """Remember one."""
        self._file.write(json.dumps(path) + "\n")

    def delete(self) -> None:
        """Delete them, except what the source turns out to have."""
        self._file.seek(0)
        started: set[Future[None]] = set()
        for line in self._file:
            started.add(self._work.start(self._delete, json.loads(line)))
            if len(started) >= _AT_ONCE:
                self._await(started)
                started.clear()
        self._await(started)

    def _await(self, started: set[Future[None]]) -> None:
        for future in wait(started).done:
            future.result()

    def _delete(self, path: str) -> None:
        self._work.check()
        # A listing may have passed it by, or somebody may have written it meanwhile.
        if self._names.holds(path) or self._source.stat(path) is not None:
            return
        delete_file(self._target, path)
        self._work.tally.add(files_deleted=1)
        top = self._target.store.local_path(self._target.path)
        if top is not None:
            for folder in (top / path).parents:
                if folder == top:
                    break
                with suppress(OSError):  # others are in it
                    folder.rmdir()


def delete_file(place: Place, path: str) -> None:
    """Delete one file and nothing below a folder of the same name, which object stores may have."""
    store, name = place.store, place.join(path)
    local = store.local_path(name)
    if local is not None:
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            local.unlink()
    elif isinstance(store, AzureBlobStore):
        store.delete_file(name)
    elif next(Place(store, name, "directory").files(), None) is None:
        store.delete(name)
    else:
        raise DatastoreException(
            f"{store.url(name)!r} is to be deleted, as the source does not have it, but there are files "
            f"below it that stay. Delete it by hand."
        )


def clear_way(place: Place, path: str) -> None:
    """Delete what stands where a file or a folder above it has to be, in a folder on this machine.

    The source has none of it, as there a name is a file or a folder, too.
    """
    top = place.store.local_path(place.path)
    if top is None or not path:
        return
    local = top / path
    if local.is_dir() and not local.is_symlink():
        place.store.delete(place.join(path))
    for above in local.parents:
        if above == top or above.is_dir():
            return
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):  # made this moment
            above.unlink()

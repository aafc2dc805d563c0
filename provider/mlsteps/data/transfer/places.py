"""Where a transfer goes from and to, checked before anything is read or written."""

from __future__ import annotations

import os

from mlsteps.data.stores.base import Store, exact_path
from mlsteps.data.transfer.listings import Place
from mlsteps.exceptions import DataNotFoundException, MlstepsException, UserErrorException


def source_place(store: Store, path: str, kind: str | None) -> Place:
    """The source, whose kind is looked up.

    :raises DataNotFoundException: nothing is there.
    :raises UserErrorException: it is not of that kind.
    """
    name = exact_path(path, "source path")
    if kind not in (None, "file", "directory"):
        raise UserErrorException(f"A transfer's kind is 'file', 'directory' or None, got {kind!r}.")
    is_file = kind != "directory" and store.stat(name) is not None
    if is_file and path.endswith("/"):
        raise UserErrorException(
            f"{store.url(name)!r} is a file; its path ends with a slash like a folder's."
        )
    if is_file:
        return Place(store, name, "file")
    place = Place(store, name, "directory")
    if store.local_path(name) is not None and not _is_folder(place):
        raise nothing_there(place)
    if kind == "file":
        if not _is_folder(place):
            raise nothing_there(place)
        raise UserErrorException(f"{store.url(name)!r} is a directory, and a file was to be copied.")
    return place


def nothing_there(place: Place) -> MlstepsException:
    """The error for a directory that does not exist; of object stores only a listing can tell that."""
    if place.store.stat(place.path) is not None:
        return UserErrorException(f"{place.url()!r} is a file, and a directory was to be copied.")
    return DataNotFoundException(f"There is nothing at {place.url()!r} to copy.")


def target_place(source: Place, store: Store, path: str) -> Place:
    """The destination of what the source is.

    :raises UserErrorException: what is there is of the other kind, or the two places overlap.
    """
    name = exact_path(path, "target path")
    place = Place(store, name, source.kind)
    if source.kind == "file" and (not name or path.endswith("/")):
        raise UserErrorException(
            f"{source.url()!r} is a file and {store.url(name)!r} is a folder: give the destination with the "
            f"file's name."
        )
    if source.kind == "file" and _is_folder(Place(store, name, "directory")):
        raise UserErrorException(
            f"{source.url()!r} is a file, and there is a folder at {store.url(name)!r}: give the destination "
            f"with the file's name."
        )
    if source.kind == "directory" and name and store.stat(name) is not None:
        raise UserErrorException(
            f"{source.url()!r} is a directory, and there is a file at {store.url(name)!r}."
        )
    _refuse_file_above(store, name)
    return place


def refuse_overlap(source: Place, target: Place, mirror: bool) -> None:
    """Refuse places of which one lies in the other.

    :raises UserErrorException: they do, so that a transfer would read what it writes, or delete what it read.
    """
    one, other = _where(source), _where(target)
    if one == other:
        raise UserErrorException(f"Source and destination are the same place: {source.url()!r}.")
    if source.kind == "directory" and other.startswith(f"{one.rstrip('/')}/"):
        raise UserErrorException(f"The destination {target.url()!r} lies in the source {source.url()!r}.")
    if mirror and one.startswith(f"{other.rstrip('/')}/"):
        raise UserErrorException(
            f"The source {source.url()!r} lies in the destination {target.url()!r}: mirroring would delete "
            f"it."
        )


def _is_folder(place: Place) -> bool:
    local = place.store.local_path(place.path)
    if local is not None:
        return local.is_dir()
    return next(place.files(), None) is not None


def _refuse_file_above(store: Store, name: str) -> None:
    local = store.local_path(name)
    if local is None:
        return
    for above in local.parents:
        if above.is_dir():
            return
        if above.exists():
            raise UserErrorException(f"{str(local)!r} cannot be written: {str(above)!r} is a file.")


def _where(place: Place) -> str:
    local = place.store.local_path(place.path)
    return os.path.realpath(local) if local is not None else place.url()

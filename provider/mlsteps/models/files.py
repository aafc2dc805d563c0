"""A model's files: from this machine to the workspace's records, and back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from mlsteps.data.local_paths import path_below
from mlsteps.exceptions import ModelNotFoundException, UserErrorException
from mlsteps.records.layout import MODEL_FILES

if TYPE_CHECKING:
    from mlsteps.data.stores import Store


def send(source: Path, store: Store, child_paths: Sequence[str] | None = None) -> str:
    """Copy a file or folder to the workspace; returns where it lies there.

    :param child_paths: Only these below the folder.
    :raises UserErrorException: something of it is not there.
    """
    if not source.exists():
        raise UserErrorException(f"Model.register: there is no file or folder {str(source)!r}.")
    root = f"{MODEL_FILES}/{uuid4().hex}/{source.resolve().name}"
    if source.is_file():
        store.put_file(source, root)
        return root
    files = sorted(set(_chosen(source, child_paths)))
    if not files:
        raise UserErrorException(f"Model.register: there are no files below {str(source)!r}.")
    for file in files:
        store.put_file(file, f"{root}/{file.relative_to(source).as_posix()}")
    return root


def _chosen(source: Path, child_paths: Sequence[str] | None) -> Iterator[Path]:
    for child in [""] if child_paths is None else child_paths:
        place = source / child
        if not place.exists() or not place.resolve().is_relative_to(source.resolve()):
            raise UserErrorException(f"Model.register: there is no {child!r} below {str(source)!r}.")
        yield from [place] if place.is_file() else (one for one in place.rglob("*") if one.is_file())


def fetch(store: Store, path: str, folder: Path, replace: bool, model: str) -> Path:
    """Copy a model's file or folder below a folder of this machine; complete, or not there.

    :param model: For errors.
    :raises UserErrorException: it is there, and ``replace`` is off.
    :raises ModelNotFoundException: its files are gone.
    """
    target = folder / path.rpartition("/")[2]
    if target.exists() and not replace:
        raise UserErrorException(f"{model}: {str(target)!r} is there already; exist_ok=True replaces it.")
    files = list(store.list(path))
    if not files:
        raise ModelNotFoundException(f"{model}: its files are gone: nothing at {store.url(path)}.")
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{target.name}.{uuid4().hex[:8]}.tmp"
    try:
        for file in files:
            below = file.below(path)
            place = path_below(unfinished, below, f"{file.path} of {model}")
            place.parent.mkdir(parents=True, exist_ok=True)
            store.get_file(file.path, place)
        _remove(target)
        unfinished.rename(target)
    finally:
        _remove(unfinished)
    return target


def delete_sent(store: Store, path: str) -> None:
    """Delete a model's files, if :func:`send` has brought them."""
    if path.startswith(f"{MODEL_FILES}/"):
        for file in list(store.list(path)):
            store.delete(file.path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

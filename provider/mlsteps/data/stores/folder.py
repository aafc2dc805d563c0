"""A folder on this machine, or one that all workers mount (NFS, Azure Files)."""

from __future__ import annotations

import builtins
import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mlsteps.data.stores.base import FileInfo, Store, exact_path
from mlsteps.exceptions import UserErrorException
from mlsteps.launcher import atomic


class FolderStore(Store):
    """A store whose root is a folder. It is made when something is first written.

    Links in it are followed, wherever they point: they are a decision of whoever owns the folder.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root).expanduser().absolute()

    def __repr__(self) -> str:
        return f"FolderStore({str(self.root)!r})"

    def local_path(self, path: str) -> Path:
        return self.root.joinpath(exact_path(path))

    def url(self, path: str) -> str:
        return str(self.local_path(path))

    def stat(self, path: str) -> FileInfo | None:
        return _info(exact_path(path), str(self.local_path(path)))

    def list(self, prefix: str = "") -> Iterator[FileInfo]:
        start = self.local_path(prefix)
        if start.is_file():
            found = self.stat(prefix)
            yield from [found] if found else []
        else:
            below = exact_path(prefix)
            yield from _walk(str(start), f"{below}/" if below else "", (os.path.realpath(start),))

    def list_names(self, folder: str = "") -> builtins.list[str]:
        try:
            names = os.listdir(self.local_path(folder))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in names if not atomic.TEMPORARY.fullmatch(name))

    def open(self, path: str) -> BinaryIO:
        try:
            return self.local_path(path).open("rb")
        except (IsADirectoryError, NotADirectoryError) as error:
            raise FileNotFoundError(error.errno, "There is no such file", error.filename) from error

    def write(self, path: str, data: bytes, durable: bool = True) -> None:
        atomic.write_bytes(self._file(path), data, durable)

    def create(self, path: str, data: bytes) -> bool:
        target = self._file(path)
        return not target.exists() and atomic.create_exclusive(target, data)

    def put_file(self, source: Path, path: str) -> None:
        with source.open("rb") as stream, atomic.replacing(self._file(path)) as out:
            shutil.copyfileobj(stream, out, 1 << 20)

    def delete(self, path: str) -> None:
        target = self.local_path(path)
        # Somebody else may be deleting the same at the same time: what is gone is gone.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if target.is_dir() and not target.is_symlink():
                _delete_folder(target)
            else:
                target.unlink()

    def _file(self, path: str) -> Path:
        if not exact_path(path):
            raise UserErrorException(f"{str(self.root)!r} is the datastore itself, not a file on it.")
        return self.local_path(path)


def _walk(folder: str, below: str, ancestors: tuple[str, ...]) -> Iterator[FileInfo]:
    """Every file below a folder by its path, as an object store would sort them (``a-b`` before ``a/b``)."""
    try:
        with os.scandir(folder) as scan:
            found = [(f"{entry.name}/" if entry.is_dir() else entry.name, entry.path) for entry in scan]
    except (FileNotFoundError, NotADirectoryError):
        return
    for name, place in sorted(found):
        if name.endswith("/"):
            real = os.path.realpath(place)
            if real not in ancestors:  # a link to a folder that it lies in
                yield from _walk(place, f"{below}{name}", (*ancestors, real))
        elif not atomic.TEMPORARY.fullmatch(name):
            info = _info(f"{below}{name}", place)
            yield from [info] if info else []


def _info(path: str, place: str) -> FileInfo | None:
    """What is there, by as few looks as can be; None if it is no file, or was deleted since it was listed."""
    try:
        found = os.stat(place)
    except (OSError, ValueError):
        return None
    return FileInfo(path, found.st_size) if stat.S_ISREG(found.st_mode) else None


def _delete_folder(folder: Path) -> None:
    while folder.exists():  # again when somebody deleted a part of it meanwhile
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)

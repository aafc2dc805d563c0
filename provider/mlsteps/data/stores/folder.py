"""A folder on this machine, or one that all workers mount (NFS)."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mlsteps.data.stores.base import FileInfo, Store, clean_path

# Names of files that are still being written; a listing never shows them.
_TEMPORARY = ".mlsteps-tmp-"


class FolderStore(Store):
    """A store whose root is a folder. It is made when something is first written."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root).expanduser().absolute()

    def __repr__(self) -> str:
        return f"FolderStore({str(self.root)!r})"

    def local_path(self, path: str) -> Path:
        return self.root.joinpath(clean_path(path))

    def url(self, path: str) -> str:
        return str(self.local_path(path))

    def stat(self, path: str) -> FileInfo | None:
        target = self.local_path(path)
        return FileInfo(clean_path(path), target.stat().st_size) if target.is_file() else None

    def list(self, prefix: str = "") -> Iterator[FileInfo]:
        start = self.local_path(prefix)
        if start.is_file():
            yield FileInfo(clean_path(prefix), start.stat().st_size)
            return
        for folder, folders, names in os.walk(start):
            folders.sort()
            for name in sorted(names):
                if name.startswith(_TEMPORARY):
                    continue
                file = Path(folder, name)
                if file.is_file():
                    yield FileInfo(file.relative_to(self.root).as_posix(), file.stat().st_size)

    def list_names(self, folder: str = "") -> list[str]:
        try:
            names = os.listdir(self.local_path(folder))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in names if not name.startswith(_TEMPORARY))

    def open(self, path: str) -> BinaryIO:
        return self.local_path(path).open("rb")

    def write(self, path: str, data: bytes) -> None:
        with self._temporary(path) as temporary:
            temporary.write_bytes(data)
            _sync(temporary)
            os.replace(temporary, self.local_path(path))

    def create(self, path: str, data: bytes) -> bool:
        target = self.local_path(path)
        if target.exists():
            return False
        with self._temporary(path) as temporary:
            temporary.write_bytes(data)
            _sync(temporary)
            try:
                os.link(temporary, target)  # fails when the name is taken, unlike a rename
            except FileExistsError:
                return False
        return True

    def put_file(self, source: Path, path: str) -> None:
        with self._temporary(path) as temporary:
            shutil.copyfile(source, temporary)
            _sync(temporary)
            os.replace(temporary, self.local_path(path))

    def delete(self, path: str) -> None:
        target = self.local_path(path)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target, ignore_errors=True)
        else:
            target.unlink(missing_ok=True)

    def _temporary(self, path: str) -> _TemporaryFile:
        target = self.local_path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        return _TemporaryFile(target.parent)


class _TemporaryFile:
    """A fresh file beside its target, so that the rename stays within one file system; gone afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Path:
        descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=self.folder)
        os.fchmod(descriptor, 0o666 & ~_UMASK)
        os.close(descriptor)
        self.path = Path(name)
        return self.path

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# mkstemp makes private files; records are shared by workers, so the process's own umask applies.
_UMASK = _read_umask()

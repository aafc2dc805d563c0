"""What any storage can do, in the few verbs the rest of mlsteps needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mlsteps.exceptions import UserErrorException


@dataclass(frozen=True)
class FileInfo:
    """What a store says about one file: its path on the store and its size in bytes."""

    path: str
    size: int


class Store(ABC):
    """Files by slash-separated relative path. Writes are all or nothing; a reader never sees half a file.

    A new kind of storage is one subclass. ``create`` is the only synchronisation: it succeeds for exactly
    one of any number of callers, which is what reuse entries, registries and records are built on.
    """

    @abstractmethod
    def stat(self, path: str) -> FileInfo | None:
        """The file at ``path``, or None (also for a folder)."""

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[FileInfo]:
        """Every file at or below ``prefix``, in path order."""

    @abstractmethod
    def list_names(self, folder: str = "") -> list[str]:
        """Names of the files and folders directly in ``folder``, sorted."""

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """The file's bytes as a stream. Raises FileNotFoundError."""

    @abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Write or replace a small file at once."""

    @abstractmethod
    def create(self, path: str, data: bytes) -> bool:
        """Write a small file unless it exists; True for the one caller that made it."""

    @abstractmethod
    def put_file(self, source: Path, path: str) -> None:
        """Copy a local file to ``path``, replacing what is there."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Delete a file, or everything below a folder. Nothing there is no error."""

    @abstractmethod
    def url(self, path: str) -> str:
        """Where ``path`` lies, for people and other tools: an absolute path or a URL without credentials."""

    def local_path(self, path: str) -> Path | None:
        """The path on this machine when the store is a folder here, else None."""
        return None

    def read(self, path: str) -> bytes:
        """A small file's bytes. Raises FileNotFoundError."""
        with self.open(path) as stream:
            return stream.read()

    def get_file(self, path: str, target: Path) -> None:
        """Copy the file at ``path`` to a local path whose parents are made."""
        import shutil

        target.parent.mkdir(parents=True, exist_ok=True)
        with self.open(path) as stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out, 1 << 20)


def clean_path(path: str, what: str = "path") -> str:
    """A path on a store in its one spelling: slashes, no empty parts, never above the store's root."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UserErrorException(f"{what} {path!r} leaves the datastore: '..' is not allowed.")
    return "/".join(parts)

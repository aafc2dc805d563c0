"""What any storage can do, in the few verbs the rest of mlsteps needs."""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mlsteps.exceptions import UserErrorException
from mlsteps.launcher import atomic


@dataclass(frozen=True)
class FileInfo:
    """What a store says about one file: its path on the store and its size in bytes.

    ``content`` is what the store knows of the bytes without reading them: their digest
    (``sha256c:...``, see ``launcher.digest``) where we wrote the file, else ``md5:...`` or ``etag:...``; None
    where it knows nothing, as a folder does. ``version`` changes with every write, where a store has that.
    """

    path: str
    size: int
    content: str | None = None
    version: str | None = None

    def below(self, folder: str) -> str:
        """Its path relative to a file or folder that it is listed at; empty if it is that file itself."""
        return self.path[len(folder) :].lstrip("/")


class Store(ABC):
    """Files by slash-separated relative path. Writes are all or nothing; a reader never sees half a file.

    A path is taken as it stands, as :meth:`list` gives it (a backslash is a character like others); what
    users write goes through :func:`clean_path` first. One that leaves the store is a UserErrorException.

    A new kind of storage is one subclass. ``create`` is the only synchronisation: it succeeds for exactly
    one of any number of callers, which is what reuse entries, registries and records are built on.
    """

    @abstractmethod
    def stat(self, path: str) -> FileInfo | None:
        """The file at ``path``, or None (also for a folder)."""

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[FileInfo]:
        """Every file at or below ``prefix``, sorted by path.

        By code points; object stores may sort characters beyond U+FFFF before those from U+E000 to U+FFFF.
        """

    @abstractmethod
    def list_names(self, folder: str = "") -> builtins.list[str]:
        """Names of the files and folders directly in ``folder``, sorted."""

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """The file's bytes as a stream. Raises FileNotFoundError, also for a folder."""

    @abstractmethod
    def write(self, path: str, data: bytes, durable: bool = True) -> None:
        """Write or replace a small file at once.

        Not ``durable``, a power cut of the store itself soon after may leave it empty, which is much faster
        for many files where a store writes to a disk of its own.
        """

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

    def copy_here(self, source: Store, source_path: str, path: str) -> bool:
        """Copy a file from another store without its bytes passing through this machine.

        False where these two stores cannot do that; then :meth:`open` and :meth:`put_file` have to. Returns
        when the copy stands, whole; what stood at ``path`` stands until then.
        """
        return False

    def signed_url(self, path: str, seconds: float, *, write: bool = False) -> str | None:
        """A URL that lets whoever has it read (or write) this one file for a while; None if there is none.

        It is a secret: it belongs into no log and no record.
        """
        return None

    def read(self, path: str) -> bytes:
        """A small file's bytes. Raises FileNotFoundError."""
        with self.open(path) as stream:
            return stream.read()

    def get_file(self, path: str, target: Path) -> None:
        """Copy the file at ``path`` to a local path, whole or not at all; its parents are made."""
        import shutil

        with self.open(path) as stream, atomic.replacing(target) as out:
            shutil.copyfileobj(stream, out, 1 << 20)


def clean_path(path: str, what: str = "path") -> str:
    """A path that a user wrote in its one spelling: slashes, no empty parts, never above the store's root.

    :raises UserErrorException: it is no text, leaves the store, or cannot be a path.
    """
    if not isinstance(path, str):
        raise UserErrorException(f"{what} must be a text, got {path!r}.")
    return exact_path(path.replace("\\", "/"), what)


def exact_path(path: str, what: str = "path") -> str:
    """A path on a store without empty parts, otherwise as it stands.

    :raises UserErrorException: it leaves the store, or cannot be a path.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UserErrorException(f"{what} {path!r} leaves the datastore: '..' is not allowed.")
    if "\0" in path:
        raise UserErrorException(f"{what} {path!r} is no path: it holds a null character.")
    return "/".join(parts)

"""The manifest of an output: its files, their sizes and contents. That it exists says: this is complete."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from mlsteps.exceptions import DataNotFoundException, MlstepsException, UserErrorException
from mlsteps.launcher import atomic, strict_json
from mlsteps.launcher.digest import FILE_PREFIX, digest_files, digest_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    StrPath = Union[str, os.PathLike[str]]

_KIND = "mlsteps-manifest"
_VERSION = 1
_SPECIAL = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


@dataclass(frozen=True)
class FileEntry:
    """One file of an output.

    Attributes:
        path: Path below the output's own path, with ``/`` between the parts. Empty if the output is this file
            itself: its name is the reader's choice and not part of the content.
        size: Bytes.
        digest: ``sha256c:...``, see `mlsteps.launcher.digest`.
    """

    path: str
    size: int
    digest: str


@dataclass(frozen=True)
class Manifest:
    """What an output holds. Folders without files are not recorded, nor are modes and times.

    Attributes:
        kind: Whether the output is one file or a directory.
        files: Sorted by path.
        digest: Of a file its digest, of a directory that of the tree: equal if and only if the contents are.
        bytes: Sum of the sizes.
    """

    kind: Literal["file", "directory"]
    files: tuple[FileEntry, ...]
    digest: str
    bytes: int

    @classmethod
    def of(cls, kind: Literal["file", "directory"], files: tuple[FileEntry, ...]) -> Manifest:
        """Make the manifest of ``files``; ``UserErrorException`` if they do not form such an output."""
        paths = [entry.path for entry in files]
        if kind == "file" and paths != [""]:
            raise UserErrorException(
                f"The manifest of a file has one entry with an empty path, found {paths[:3]}"
            )
        for entry in files:
            if kind == "directory" and not _is_plain(entry.path):
                raise UserErrorException(f"A manifest cannot hold the path {entry.path!r}")
            if entry.size < 0 or not _is_file_digest(entry.digest):
                raise UserErrorException(
                    f"The manifest's entry for {entry.path!r} has a wrong size or digest"
                )
        ordered = tuple(sorted(files, key=lambda entry: entry.path))
        tree = digest_tree((entry.path, entry.size, entry.digest) for entry in ordered)
        digest = ordered[0].digest if kind == "file" else tree
        return cls(kind, ordered, digest, sum(entry.size for entry in ordered))

    @property
    def number_of_files(self) -> int:
        """How many files the output has."""
        return len(self.files)

    def to_json(self) -> str:
        """Return the manifest as versioned JSON text."""
        files = [{"path": entry.path, "size": entry.size, "digest": entry.digest} for entry in self.files]
        fields = {"content": self.kind, "digest": self.digest, "bytes": self.bytes, "files": files}
        return strict_json.render(_KIND, _VERSION, fields)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read what `to_json` wrote.

        Raises:
            UserErrorException: It is not a manifest, of an unknown version, or contradicts itself.
        """
        fields = strict_json.parse(text, _KIND, _VERSION)
        kind, digest, size = fields.text("content"), fields.text("digest"), fields.integer("bytes")
        entries = []
        for item in fields.objects("files"):
            entries.append(FileEntry(item.text("path"), item.integer("size"), item.text("digest")))
            item.finish()
        fields.finish()
        if kind not in ("file", "directory"):
            raise UserErrorException(f"A manifest is of a file or a directory, not of {kind!r}")
        manifest = cls.of("file" if kind == "file" else "directory", tuple(entries))
        if (manifest.digest, manifest.bytes) != (digest, size):
            raise UserErrorException(
                "The manifest's digest or number of bytes does not fit its files: it was altered"
            )
        return manifest


def build_manifest(path: StrPath, workers: int | None = None) -> Manifest:
    """List and hash the file or directory at ``path`` with up to ``workers`` threads (default: every core).

    Symbolic links are followed to files and folders inside the directory; ``path`` itself may be a link to
    anywhere.

    Raises:
        DataNotFoundException: Nothing is there.
        UserErrorException: Something in it cannot be published: a link that dangles, loops or leaves the
            directory, or a special file such as a socket. The text names it.
        MlstepsException: Something cannot be read, or changed meanwhile.
    """
    kind, found = list_files(path)
    digests = digest_files((file for _, file in found), workers)
    entries = tuple(FileEntry(part, digest.size, digest.text) for (part, _), digest in zip(found, digests))
    return Manifest.of(kind, entries)


def list_files(path: StrPath) -> tuple[Literal["file", "directory"], list[tuple[str, str]]]:
    """List what is at ``path``: its kind, and each file's path in the manifest and on the disk, sorted.

    Raises as `build_manifest`.
    """
    name = os.fspath(path)
    if not os.path.exists(name):
        dangling = (
            f": it is a link to {os.readlink(name)!r}, which does not exist" if os.path.islink(name) else ""
        )
        raise DataNotFoundException(f"There is nothing at {name!r}{dangling}")
    root = os.path.realpath(name)
    if os.path.isdir(root):
        try:
            found = sorted(_walk(root, "", (root,)))
        except OSError as error:
            raise MlstepsException(
                f"Cannot list {error.filename or name!r}: {error.strerror or error}"
            ) from error
    else:
        _refuse_special(name, os.stat(root).st_mode)
        return "file", [("", root)]
    return "directory", found


def write_manifest(path: StrPath, manifest: Manifest) -> None:
    """Write ``manifest`` to ``path`` at once, never in part. Raises ``OSError``."""
    atomic.write_bytes(path, manifest.to_json().encode())


def read_manifest(path: StrPath) -> Manifest:
    """Read what `write_manifest` wrote.

    Raises:
        DataNotFoundException: There is none, so the output is not complete.
        UserErrorException: As `Manifest.from_json`.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return Manifest.from_json(file.read())
    except FileNotFoundError as error:
        raise DataNotFoundException(f"There is no manifest at {os.fspath(path)!r}") from error


def _walk(root: str, below: str, ancestors: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield ``(path below the output, real path)`` of every file; ``ancestors`` starts with the root."""
    with os.scandir(ancestors[-1]) as scan:
        children = list(scan)
    for child in children:
        part = f"{below}{child.name}"
        real = child.path
        if child.is_symlink():
            real = _inside(root, child.path)
            if real in ancestors:
                raise UserErrorException(f"The link {child.path!r} leads back to a folder that it lies in")
        mode = os.stat(real).st_mode
        if stat.S_ISDIR(mode):
            yield from _walk(root, f"{part}/", (*ancestors, real))
        else:
            _refuse_special(child.path, mode)
            yield _portable(part), real


def _inside(root: str, link: str) -> str:
    real = os.path.realpath(link)
    target = os.readlink(link)
    if not os.path.exists(real):
        raise UserErrorException(f"The link {link!r} points to {target!r}, which does not exist")
    if os.path.commonpath([root, real]) != root:
        raise UserErrorException(
            f"The link {link!r} points to {target!r}, outside of the output. Copy the file into it instead"
        )
    return real


def _refuse_special(path: str, mode: int) -> None:
    for test, what in _SPECIAL:
        if test(mode):
            raise UserErrorException(f"{path!r} is {what}: an output may hold only files and folders")


def _portable(path: str) -> str:
    """Read the name's bytes as UTF-8 whatever the locale, so that digests are the same everywhere."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def _is_plain(path: str) -> bool:
    return "\0" not in path and not any(part in ("", ".", "..") for part in path.split("/"))


def _is_file_digest(digest: str) -> bool:
    value = digest[len(FILE_PREFIX) :]
    return digest.startswith(FILE_PREFIX) and len(value) == 64 and set(value) <= set("0123456789abcdef")

"""Snapshots as zip files: packed the same way every time, and unpacked without trusting the names inside."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
import zlib
from typing import TYPE_CHECKING, Union

from mlsteps.exceptions import SnapshotException
from mlsteps.launcher import atomic

if TYPE_CHECKING:
    from collections.abc import Iterable

    StrPath = Union[str, os.PathLike[str]]

_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can hold
_UNIX = 3
_BUFFER = 1024 * 1024


def write_archive(files: Iterable[tuple[str, StrPath]], target: StrPath, *, compress: bool = True) -> None:
    """Write a zip file to ``target`` that depends only on names, bytes, executable bits and link targets.

    Args:
        files: ``(name in the archive, path on disk)`` in any order. Links are stored as links, a directory
            without what is in it.
        target: Replaced at once, never in part.
        compress: False stores the bytes, for the very same archive whatever zlib this Python has.

    Raises:
        SnapshotException: A name is not a plain relative path, occurs twice, or a file cannot be read.
    """
    ordered = sorted((name, os.fspath(path)) for name, path in files)
    names = [name for name, _ in ordered]
    for name, following in zip(names, names[1:]):
        if name == following:
            raise SnapshotException(f"The snapshot would hold {name!r} twice")
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    try:
        with atomic.replacing(target) as file, zipfile.ZipFile(file, "w", method) as archive:
            for name, path in ordered:
                _check_name(name)
                _add(archive, name, path, method)
    except (OSError, ValueError) as error:  # ValueError: a name that zip cannot hold
        raise SnapshotException(f"Cannot write the snapshot: {error}") from error


def extract(archive: StrPath, directory: StrPath) -> None:
    """Unpack ``archive`` into ``directory``, which is made if missing, with executable bits and links.

    Nothing is ever written outside of ``directory``: names or links that lead out are refused.

    Raises:
        SnapshotException: The archive is missing, broken, or holds a name or link that is refused.
    """
    name = os.fspath(archive)
    try:
        os.makedirs(directory, exist_ok=True)
        with zipfile.ZipFile(name) as opened:
            _extract_all(opened, os.path.realpath(directory))
    except FileNotFoundError as error:
        raise SnapshotException(
            f"The snapshot {name!r} does not exist, or a file of it vanished: {error}"
        ) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise SnapshotException(f"The snapshot {name!r} is broken: {error}") from error
    except OSError as error:
        raise SnapshotException(f"The snapshot {name!r} cannot be extracted: {error}") from error


def _add(archive: zipfile.ZipFile, name: str, path: str, method: int) -> None:
    status = os.lstat(path)
    info = zipfile.ZipInfo(name, _TIME)
    info.create_system = _UNIX
    info.compress_type = method
    if stat.S_ISLNK(status.st_mode):
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, os.fsencode(os.readlink(path)))
    elif stat.S_ISDIR(status.st_mode):
        info = zipfile.ZipInfo(name.rstrip("/") + "/", _TIME)
        info.create_system = _UNIX
        info.external_attr = (stat.S_IFDIR | 0o755) << 16
        archive.writestr(info, b"")
    elif stat.S_ISREG(status.st_mode):
        executable = status.st_mode & stat.S_IXUSR
        info.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
        info.file_size = status.st_size  # tells zipfile whether the entry needs 64-bit sizes
        with open(path, "rb") as source, archive.open(info, "w") as target:
            shutil.copyfileobj(source, target, _BUFFER)
    else:
        raise SnapshotException(
            f"{path!r} is neither a file, a folder nor a link, and cannot be in a snapshot"
        )


def _extract_all(archive: zipfile.ZipFile, root: str) -> None:
    """Extract files first and links last, so that no file is ever written through a link of the archive."""
    links: list[tuple[str, str]] = []
    seen: set[str] = set()
    for info in archive.infolist():
        _check_name(info.filename)
        place = os.path.join(root, info.filename.rstrip("/"))
        if place in seen:
            raise SnapshotException(f"The snapshot holds {info.filename!r} twice")
        seen.add(place)
        mode = info.external_attr >> 16
        if stat.S_ISLNK(mode):
            links.append((place, os.fsdecode(archive.read(info))))
            continue
        folder = place if info.is_dir() else os.path.dirname(place)
        if not _is_inside(root, folder):  # a link was there before: the directory was not empty
            raise SnapshotException(f"{info.filename!r} would be written outside of the directory")
        os.makedirs(folder, exist_ok=True)
        if not info.is_dir():
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            number = os.open(place, flags, 0o777 if mode & 0o111 else 0o666)
            with archive.open(info) as source, os.fdopen(number, "wb") as target:
                shutil.copyfileobj(source, target, _BUFFER)
    _make_links(root, links)


def _make_links(root: str, links: list[tuple[str, str]]) -> None:
    """Make all links, then follow each: only the real result tells whether a chain of links leads out."""
    for place, target in links:
        if os.path.isabs(target) or not target or "\0" in target:
            raise SnapshotException(
                f"The link {os.path.relpath(place, root)!r} points to {target!r}, which is refused"
            )
    made: list[str] = []
    try:
        for place, target in links:
            if not _is_inside(root, os.path.dirname(place)):
                raise SnapshotException(f"The link {os.path.relpath(place, root)!r} lies behind another link")
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.symlink(target, place)
            made.append(place)
        for place, target in links:
            if not _is_inside(root, place):
                text = (
                    f"The link {os.path.relpath(place, root)!r} points to {target!r}, outside of the snapshot"
                )
                raise SnapshotException(text)
    except BaseException:
        for place in made:
            os.unlink(place)
        raise


def _is_inside(root: str, path: str) -> bool:
    return os.path.commonpath([root, os.path.realpath(path)]) == root


def _check_name(name: str) -> None:
    parts = name.rstrip("/").split("/")
    if name.startswith("/") or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise SnapshotException(f"A snapshot cannot hold the name {name!r}: it is not a plain relative path")

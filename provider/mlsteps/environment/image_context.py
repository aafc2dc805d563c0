"""What a Docker engine is sent to build from: a tar archive that is equal for equal files."""

from __future__ import annotations

import fnmatch
import io
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

from mlsteps.exceptions import UserErrorException

_IGNORE_FILE = ".dockerignore"


def context_archive(folder: Path) -> bytes:
    """Return the files of a build context as a tar archive, without what its ``.dockerignore`` names.

    Times and owners are left out, so that a fresh clone gives the same bytes.
    """
    patterns = _patterns(folder)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in _walk(folder):
            name = path.relative_to(folder).as_posix()
            if not _ignored(name, patterns):
                archive.add(path, name, recursive=False, filter=_plain)
    return buffer.getvalue()


def is_dockerfile_text(dockerfile: str) -> bool:
    """Return whether this is the text of a Dockerfile, and not the path of one."""
    return "\n" in dockerfile or re.match(r"\s*(?:#|(?:FROM|ARG)\s)", dockerfile, re.IGNORECASE) is not None


def dockerfile_text(dockerfile: str | None) -> str | None:
    """Return the text of a Dockerfile that is given as text or by its path; ``None`` if there is none.

    Raises:
        UserErrorException: it is a path, and the file cannot be read.
    """
    if not dockerfile or is_dockerfile_text(dockerfile):
        return dockerfile or None
    try:
        return Path(dockerfile).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserErrorException(f"Dockerfile {dockerfile!r} cannot be read: {error}") from error


def dockerfile_archive(text: str) -> bytes:
    """Return a build context that is a Dockerfile and nothing else."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        add_text(archive, "Dockerfile", text)
    return buffer.getvalue()


def add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    """Add a small file to an archive that is being written."""
    data = text.encode("utf-8")
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    archive.addfile(entry, io.BytesIO(data))


def _walk(folder: Path) -> Iterator[Path]:
    for base, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(base) / name for name in sorted([*files, *folders]))


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    entry.pax_headers = {}
    return entry


def _patterns(folder: Path) -> list[tuple[bool, str]]:
    try:
        lines = (folder / _IGNORE_FILE).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = (line.strip() for line in lines)
    return [
        (line.startswith("!"), line.lstrip("!").strip("/").removeprefix("./"))
        for line in found
        if line and not line.startswith("#")
    ]


def _ignored(name: str, patterns: list[tuple[bool, str]]) -> bool:
    ignored = False
    for keep, pattern in patterns:  # the last one that matches counts
        if _matches(name, pattern):
            ignored = not keep
    return ignored


def _matches(name: str, pattern: str) -> bool:
    parts = name.split("/")
    return any(
        fnmatch.fnmatchcase("/".join(parts[:end]), pattern)
        or (pattern.startswith("**/") and fnmatch.fnmatchcase("/".join(parts[:end]), pattern[3:]))
        for end in range(1, len(parts) + 1)
    )

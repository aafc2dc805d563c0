"""The snapshot of a source directory: its files after .amlignore, as content, wherever it is checked out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlsteps.exceptions import SnapshotException
from mlsteps.launcher.digest import digest_files, digest_tree

if TYPE_CHECKING:
    from pathspec import PathSpec

# The first that exists is used, and only in the root of the source directory (SDK v1 rule).
IGNORE_FILES = (".amlignore", ".gitignore")

# Never part of a step's code, and written by running it or by version control: a digest over them would
# change although nothing did. (SDK v1 included them and lost reuse over it.)
_NEVER = ("__pycache__/", "*.py[co]", ".git/", ".ipynb_checkpoints/", ".DS_Store")


@dataclass(frozen=True)
class Snapshot:
    """The files of a source directory.

    :param directory: Where they were read.
    :param files: Relative paths, sorted, with slashes.
    :param bytes: Their total size.
    :param digest: Of all paths, executable bits and contents; equal wherever the same sources are.
    """

    directory: Path
    files: tuple[str, ...]
    bytes: int
    digest: str


def take_snapshot(directory: Path) -> Snapshot:
    """Read and hash a source directory.

    :raises SnapshotException: it does not exist, or a file in it cannot be read.
    """
    if not directory.is_dir():
        raise SnapshotException(f"Source directory {str(directory)!r} does not exist.")
    files = tuple(sorted(_included(directory)))
    links = {file for file in files if (directory / file).is_symlink()}
    regular = [file for file in files if file not in links]
    digests = digest_files(directory / file for file in regular)
    entries = [
        (f"{_kind(directory / file)}:{file}", digest.size, digest.text)
        for file, digest in zip(regular, digests, strict=True)
    ]
    for file in links:
        target = os.readlink(directory / file)
        entries.append((f"link:{file}", len(target), target))
    return Snapshot(directory, files, sum(digest.size for digest in digests), digest_tree(entries))


def _kind(path: Path) -> str:
    return "exec" if path.stat().st_mode & stat.S_IXUSR else "file"


def _included(directory: Path) -> Iterator[str]:
    ignored = _ignore_rules(directory)
    for folder, folders, names in os.walk(directory):
        base = Path(folder).relative_to(directory).as_posix()
        prefix = "" if base == "." else f"{base}/"
        # A link to a folder is kept as a link when it stays inside; os.walk does not go into it.
        names = names + [name for name in folders if Path(folder, name).is_symlink()]
        folders[:] = sorted(
            name
            for name in folders
            if not Path(folder, name).is_symlink() and not ignored.match_file(f"{prefix}{name}/")
        )
        for name in names:
            if ignored.match_file(f"{prefix}{name}"):
                continue
            path = Path(folder, name)
            if path.is_symlink() and not _stays_inside(path, directory):
                raise SnapshotException(
                    f"Source directory {str(directory)!r}: the link {prefix}{name} points outside of it or at "
                    f"nothing. Copy what it points at, or list it in .amlignore."
                )
            if path.is_symlink() or path.is_file():
                yield f"{prefix}{name}"


def _ignore_rules(directory: Path) -> PathSpec:
    import pathspec

    lines: list[str] = list(_NEVER)
    for name in IGNORE_FILES:
        file = directory / name
        if file.is_file():
            lines += file.read_text("utf-8", errors="replace").splitlines()
            break
    return pathspec.GitIgnoreSpec.from_lines(lines)


def _stays_inside(link: Path, directory: Path) -> bool:
    target = link.resolve()
    return target.exists() and target.is_relative_to(directory.resolve())

"""The snapshot of a source directory: its files after .amlignore, as content, wherever it is checked out."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.exceptions import MlstepsException, SnapshotException
from mlsteps.launcher.digest import CHUNK_SIZE, FileDigest, digest_files, digest_tree

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
    try:
        return _read(directory)
    except SnapshotException:
        raise
    except (OSError, MlstepsException) as error:
        raise SnapshotException(f"Source directory {str(directory)!r} cannot be read: {error}") from error


def archive_digest(archive: Path) -> str:
    """The digest of the snapshot that an archive holds, from its content alone.

    :raises OSError: it cannot be read.
    """
    entries = []
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            mode = info.external_attr >> 16
            if stat.S_ISLNK(mode):
                entries.append(_link_entry(info.filename, os.fsdecode(opened.read(info))))
                continue
            with opened.open(info) as content:
                chunks = [
                    hashlib.sha256(chunk).digest() for chunk in iter(lambda: content.read(CHUNK_SIZE), b"")
                ]
            entries.append(_file_entry(info.filename, mode, FileDigest(info.file_size, tuple(chunks))))
    return digest_tree(entries)


def _read(directory: Path) -> Snapshot:
    files = tuple(sorted(_included(directory)))
    links = {file for file in files if (directory / file).is_symlink()}
    regular = [file for file in files if file not in links]
    digests = digest_files(directory / file for file in regular)
    entries = [
        _file_entry(file, (directory / file).stat().st_mode, digest)
        for file, digest in zip(regular, digests, strict=True)
    ]
    entries += [_link_entry(file, os.readlink(directory / file)) for file in links]
    return Snapshot(directory, files, sum(digest.size for digest in digests), digest_tree(entries))


def _file_entry(file: str, mode: int, digest: FileDigest) -> tuple[str, int, str]:
    return (f"{'exec' if mode & stat.S_IXUSR else 'file'}:{file}", digest.size, digest.text)


def _link_entry(file: str, target: str) -> tuple[str, int, str]:
    return (f"link:{file}", len(target), target)


def _included(directory: Path) -> Iterator[str]:
    rules = _ignore_rules(directory)
    for folder, folders, names in os.walk(directory, onerror=_raise):
        base = Path(folder).relative_to(directory).as_posix()
        prefix = "" if base == "." else f"{base}/"
        # A link to a folder is kept as a link when it stays inside; os.walk does not go into it.
        names += [name for name in folders if Path(folder, name).is_symlink()]
        folders[:] = sorted(
            name
            for name in folders
            if not Path(folder, name).is_symlink() and not _ignored(rules, f"{prefix}{name}/")
        )
        for name in names:
            if _ignored(rules, f"{prefix}{name}"):
                continue
            path = Path(folder, name)
            if path.is_symlink() and not _stays_inside(path, directory):
                raise SnapshotException(
                    f"Source directory {str(directory)!r}: the link {prefix}{name} to {os.readlink(path)!r} "
                    f"points outside of it, at nothing, or is not relative. "
                    f"Copy what it points at, or list it in .amlignore."
                )
            if path.is_symlink() or path.is_file():
                yield f"{prefix}{name}"


def _ignore_rules(directory: Path) -> PathSpec[Any]:
    import pathspec

    for name in IGNORE_FILES:
        file = directory / name
        if file.is_file():
            break
    else:
        return pathspec.GitIgnoreSpec.from_lines(_NEVER)
    # As git does: a byte order mark is no part of the first pattern.
    lines = file.read_text("utf-8-sig", errors="replace").split("\n")
    try:
        return pathspec.GitIgnoreSpec.from_lines([*lines, *_NEVER])
    except ValueError as error:
        raise SnapshotException(f"{file}: {error}") from error


def _ignored(rules: PathSpec[Any], path: str) -> bool:
    """Whether the last rule that is about ``path`` excludes it, as git decides.

    A pattern of pathspec also matches whatever lies below what it is about; it marks the slash behind that
    by a group. ``PathSpec.match_file`` weighs such matches against others and gets ``*``, ``!*/``, ``!*.py``
    wrong; here they do not count, because nobody asks for what lies in an excluded folder. Nor does ``a/**``
    count for the folder ``a/`` itself.
    """
    for rule in reversed(list(rules.patterns)):
        for match in rule.regex.finditer(path) if rule.include is not None else ():
            marks = [match.end(mark) for mark in match.re.groupindex if match.end(mark) != -1]
            if all(mark == len(path) for mark in marks) and (
                marks or match.group() != path or path[-1] != "/"
            ):
                return bool(rule.include)
    return False


def _stays_inside(link: Path, directory: Path) -> bool:
    """Whether a link leads to something in the directory, wherever the directory is unpacked."""
    target = os.readlink(link)
    named = os.path.normpath(os.path.join(link.parent.relative_to(directory), target))
    if os.path.isabs(target) or named.split(os.sep)[0] == "..":
        return False
    real, root = os.path.realpath(link), os.path.realpath(directory)
    return os.path.exists(real) and os.path.commonpath([real, root]) == root


def _raise(error: OSError) -> None:
    raise error

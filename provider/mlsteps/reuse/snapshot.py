"""The snapshot of a source directory: its files after .amlignore, as content, wherever it is checked out."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from mlsteps.exceptions import MlstepsException, SnapshotException
from mlsteps.launcher.digest import CHUNK_SIZE, FileDigest, changed_meanwhile, digest_tree
from mlsteps.reuse.content import content_of
from mlsteps.reuse.digest_cache import DigestCache, KnownTree, Tree, is_executable, size_of, state

# The first that exists is used, and only in the root of the source directory (SDK v1 rule).
IGNORE_FILES = (".amlignore", ".gitignore")

# Never part of a step's code, and written by running it or by version control: a digest over them would
# change although nothing did. (SDK v1 included them and lost reuse over it.)
_NEVER_FOLDERS = ("__pycache__/", ".git/", ".ipynb_checkpoints/", ".DS_Store/")
_NEVER_FILES = (".DS_Store",)
_NEVER_ENDINGS = (".pyc", ".pyo", ".pyc/", ".pyo/")


class SnapshotEntry(NamedTuple):
    """One file of a source directory.

    :param path: Relative, with slashes.
    :param kind: ``exec`` is a file with the executable bit; ``link`` one that is kept as a link.
    :param size: Bytes.
    :param digest: Of the content; of a link its target.
    """

    path: str
    kind: Literal["file", "exec", "link"]
    size: int
    digest: str


@dataclass(frozen=True)
class Snapshot:
    """The files of a source directory.

    :param directory: Where they were read.
    :param bytes: Their total size.
    :param digest: Of all paths, executable bits and contents; equal wherever the same sources are.
    """

    directory: Path
    number_of_files: int
    bytes: int
    digest: str
    _tree: Tree = field(repr=False, compare=False)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Relative paths, sorted, with slashes."""
        return tuple(line.partition("\0")[0] for line in self._tree.lines)

    def entries(self) -> tuple[SnapshotEntry, ...]:
        """Every file with its digest, sorted by path. Made when asked for: the digest alone is known faster.

        :raises SnapshotException: a file changed since, and what it was before is not remembered.
        """
        with _explained(self.directory):
            entries = tuple(_entries(self._tree))
            if snapshot_digest(entries) != self.digest:
                raise changed_meanwhile(self.directory)
            return entries


def take_snapshot(directory: Path, cache: DigestCache | None = None) -> Snapshot:
    """Read and hash a source directory; of files that ``cache`` knows, only the status is read.

    :raises SnapshotException: it does not exist, or a file in it cannot be read.
    """
    if not directory.is_dir():
        raise SnapshotException(f"Source directory {str(directory)!r} does not exist.")
    with _explained(directory):
        return _read(directory, cache)


def hash_paths(directory: Path, paths: Iterable[str], cache: DigestCache | None = None) -> dict[str, str]:
    """The digest of the content of each path, whatever the ignore rules say of it.

    :param paths: Files or folders, relative to ``directory`` or absolute.
    :returns: Digests by the paths as given.
    :raises SnapshotException: one is not there, or cannot be read.
    """
    digests = {}
    for path in paths:
        place = directory / path
        try:
            digests[path] = content_of(place, cache, follow_links_anywhere=True).digest
        except MlstepsException as error:
            raise SnapshotException(f"The path {path!r} of hash_paths cannot be hashed: {error}") from error
    return digests


def archive_digest(archive: Path) -> str:
    """The digest of the snapshot that an archive holds, from its content alone.

    :raises OSError: it cannot be read.
    """
    return snapshot_digest(archive_entries(archive))


def archive_entries(archive: Path) -> list[SnapshotEntry]:
    """The files of a snapshot that an archive holds.

    :raises OSError: it cannot be read.
    """
    entries = []
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            mode = info.external_attr >> 16
            if stat.S_ISLNK(mode):
                entries.append(_link(info.filename, os.fsdecode(opened.read(info))))
                continue
            with opened.open(info) as content:
                chunks = [
                    hashlib.sha256(chunk).digest() for chunk in iter(lambda: content.read(CHUNK_SIZE), b"")
                ]
            digest = FileDigest(info.file_size, tuple(chunks))
            entries.append(_file(info.filename, bool(mode & stat.S_IXUSR), digest.size, digest.text))
    return entries


def _read(directory: Path, cache: DigestCache | None) -> Snapshot:
    rules = _IgnoreRules(directory)
    tree = Tree(cache, "snapshot", os.path.realpath(directory))
    known = tree.known
    if known is not None and known.rules != rules.key:
        known = None
    entered, skipped = _walk(tree, directory, rules, known)
    found = tree.recall() if known else None
    if found is not None:
        return Snapshot(directory, found.number_of_files, found.bytes, found.digest, tree)
    skipped += _drop_ignored(tree, rules)
    entries = _entries(tree)
    digest = snapshot_digest(entries)
    size = sum([size for _, kind, size, _ in entries if kind != "link"])
    tree.keep(digest, size, rules.key, tuple(entered), tuple(skipped))
    return Snapshot(directory, len(entries), size, digest, tree)


def _entries(tree: Tree) -> list[SnapshotEntry]:
    return [
        _link(path, digest) if found[0] == ">" else _file(path, is_executable(found), size_of(found), digest)
        for path, found, digest in tree.entries
    ]


def _file(path: str, executable: bool, size: int, digest: str) -> SnapshotEntry:
    return SnapshotEntry(path, "exec" if executable else "file", size, digest)


def _link(path: str, target: str) -> SnapshotEntry:
    return SnapshotEntry(path, "link", len(target), target)


def snapshot_digest(entries: Iterable[SnapshotEntry]) -> str:
    return digest_tree([(f"{kind}:{path}", size, digest) for path, kind, size, digest in entries])


def _walk(
    tree: Tree, directory: Path, rules: _IgnoreRules, known: KnownTree | None
) -> tuple[list[str], list[str]]:
    """List the files in ``tree``; return the folders that were entered, and the paths that were passed over.

    To ask the rules about every file takes longer than the walk, so they are asked about folders, and only
    about those that are not known. A new file that they exclude is listed until `_drop_ignored`.
    """
    let_in = frozenset(known.entered if known else ())
    kept_out = frozenset(known.skipped if known else ())
    entered: list[str] = []
    skipped: list[str] = []
    folders = [("", tree.root)]
    while folders:
        below, folder = folders.pop()
        with os.scandir(folder) as scan:
            for child in scan:
                is_link = child.is_symlink()
                is_folder = not is_link and child.is_dir(follow_symlinks=False)
                path = f"{below}{child.name}/" if is_folder else f"{below}{child.name}"
                if path in kept_out:
                    skipped.append(path)
                elif is_folder:
                    if path in let_in or not rules.exclude(path):
                        entered.append(path)
                        folders.append((path, child.path))
                    else:
                        skipped.append(path)
                elif is_link:
                    # A link to a folder is kept as a link, too.
                    target = os.readlink(child.path)
                    if not _stays_inside(tree.root, path, target) and not rules.exclude(path):
                        raise SnapshotException(
                            f"Source directory {str(directory)!r}: the link {path} to {target!r} "
                            f"points outside of it, at nothing, or is not relative. "
                            f"Copy what it points at, or list it in .amlignore."
                        )
                    tree.lines.append(f"{path}\0>{target}")
                else:
                    try:
                        status = child.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    except OSError:
                        if rules.exclude(path):
                            continue
                        raise
                    if stat.S_ISREG(status.st_mode):
                        tree.lines.append(f"{path}\0{state(status)}")
    tree.lines.sort()
    return entered, skipped


def _drop_ignored(tree: Tree, rules: _IgnoreRules) -> list[str]:
    """Take the files that the rules exclude out of ``tree`` and return their paths."""
    kept, dropped = [], []
    for line in tree.lines:
        path = line.partition("\0")[0]
        if rules.exclude(path):
            dropped.append(path)
        else:
            kept.append(line)
    tree.lines = kept
    return dropped


def _stays_inside(root: str, link: str, target: str) -> bool:
    """Whether a link leads to something in the directory, wherever the directory is unpacked."""
    named = os.path.normpath(os.path.join(os.path.dirname(link), target))
    if os.path.isabs(target) or named.split(os.sep)[0] == "..":
        return False
    real = os.path.realpath(os.path.join(root, link))
    return os.path.exists(real) and os.path.commonpath([real, root]) == root


class _IgnoreRules:
    """What an ignore file, and what no step's code is, leave out of a snapshot.

    :raises OSError: the file cannot be read.
    """

    def __init__(self, directory: Path) -> None:
        files = (directory / name for name in IGNORE_FILES)
        self._file = next((file for file in files if file.is_file()), None)
        # As git does: a byte order mark is no part of the first pattern.
        self._text = self._file.read_text("utf-8-sig", errors="replace") if self._file else None

    @cached_property
    def key(self) -> str:
        """Equal keys are equal rules."""
        parts = [_NEVER_FOLDERS, _NEVER_FILES, _NEVER_ENDINGS, self._text]
        if self._text is not None:
            library = importlib.util.find_spec("pathspec")
            parts.append(state(os.stat(library.origin)) if library and library.origin else None)
        return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()

    def exclude(self, path: str) -> bool:
        """Whether ``path`` is left out; that of a folder ends with a slash.

        The last rule that is about ``path`` decides, as for git. A pattern of pathspec also matches whatever
        lies below what it is about; it marks the slash behind that by a group. ``PathSpec.match_file`` weighs
        such matches against others and gets ``*``, ``!*/``, ``!*.py`` wrong; here they do not count, because
        nobody asks for what lies in an excluded folder. Nor does ``a/**`` count for the folder ``a/`` itself.
        """
        name = path[path.rfind("/", 0, -1) + 1 :]
        if name in _NEVER_FOLDERS or name in _NEVER_FILES or name.endswith(_NEVER_ENDINGS):
            return True
        for regex, exclude in self._patterns:
            for match in regex.finditer(path):
                marks = [match.end(mark) for mark in match.re.groupindex if match.end(mark) != -1]
                if all(mark == len(path) for mark in marks) and (
                    marks or match.group() != path or path[-1] != "/"
                ):
                    return exclude
        return False

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], bool]]:
        """The patterns of the file, the last first as it has the last word, and whether each excludes."""
        if self._text is None:
            return []
        import pathspec

        try:
            found = pathspec.GitIgnoreSpec.from_lines(self._text.split("\n")).patterns
        except ValueError as error:
            raise SnapshotException(f"{self._file}: {error}") from error
        return [(rule.regex, bool(rule.include)) for rule in reversed(list(found)) if rule.regex is not None]


@contextmanager
def _explained(directory: Path) -> Iterator[None]:
    try:
        yield
    except SnapshotException:
        raise
    except (OSError, MlstepsException) as error:
        raise SnapshotException(f"Source directory {str(directory)!r} cannot be read: {error}") from error

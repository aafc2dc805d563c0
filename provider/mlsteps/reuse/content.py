"""What a file or directory on disk holds, as content: equal wherever it lies and whoever made it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from mlsteps.exceptions import MlstepsException
from mlsteps.launcher import atomic
from mlsteps.launcher.digest import changed_meanwhile, digest_tree
from mlsteps.launcher.manifest import FileEntry, Manifest, build_manifest
from mlsteps.reuse.digest_cache import DigestCache, Tree, size_of, state


@dataclass(frozen=True)
class TreeContent:
    """The content of a file or directory.

    :param digest: That of the manifest.
    :param bytes: Sum of the sizes.
    """

    kind: Literal["file", "directory"]
    digest: str
    number_of_files: int
    bytes: int
    _tree: Tree = field(repr=False, compare=False)

    def manifest(self) -> Manifest:
        """Every file with its size and digest. Made when asked for: the digest alone is known faster.

        :raises MlstepsException: a file changed since, and what it was before is not remembered.
        """
        manifest = Manifest.of(self.kind, tuple(FileEntry(*entry) for entry in _entries(self._tree)))
        if manifest.digest != self.digest:
            raise changed_meanwhile(self._tree.root)
        return manifest


def content_of(
    path: str | os.PathLike[str], cache: DigestCache | None = None, *, follow_links_anywhere: bool = False
) -> TreeContent:
    """Tell the content of a file or directory; of what ``cache`` knows, only the status is read.

    :param follow_links_anywhere: For a folder that is its owner's business: links may lead out of it. Not
        there are links to nothing, links back to a folder that they lie in, and files that are being written
        and still have their temporary name.
    :raises DataNotFoundException: nothing is there.
    :raises UserErrorException: something in it cannot be published, as `build_manifest` says.
    :raises MlstepsException: something cannot be read, or changes meanwhile.
    """
    name = os.fspath(path)
    if not os.path.exists(name):
        _refuse(name)
    tree = Tree(cache, "content", os.path.realpath(name))
    kind: Literal["file", "directory"] = "directory" if os.path.isdir(tree.root) else "file"
    try:
        if kind == "directory":
            _walk(tree, name, follow_links_anywhere)
        else:
            _add(tree, "", os.stat(tree.root), name)
    except OSError as error:
        raise MlstepsException(
            f"Cannot list {error.filename or name!r}: {error.strerror or error}"
        ) from error
    tree.lines.sort()
    known = tree.recall()
    if known is not None:
        return TreeContent(kind, known.digest, known.number_of_files, known.bytes, tree)
    entries = _entries(tree)
    digest = digest_tree(entries) if kind == "directory" else entries[0][2]
    size = sum(size for _, size, _ in entries)
    tree.keep(digest, size)
    return TreeContent(kind, digest, len(entries), size, tree)


def _entries(tree: Tree) -> list[tuple[str, int, str]]:
    return [(_portable(path), size_of(found), digest) for path, found, digest in tree.entries]


def _walk(tree: Tree, name: str, anywhere: bool) -> None:
    folders: list[tuple[str, str, tuple[str, ...]]] = [("", tree.root, ())]
    while folders:
        below, folder, above = folders.pop()
        ancestors = (*above, folder)
        with os.scandir(folder) as scan:
            for child in scan:
                path, place = f"{below}{child.name}", child.path
                is_link = child.is_symlink()
                if is_link:
                    place = os.path.realpath(place)
                    if not _leads_somewhere(place, ancestors, None if anywhere else tree.root):
                        if anywhere:
                            continue
                        _refuse(name)
                if os.path.isdir(place) if is_link else child.is_dir(follow_symlinks=False):
                    if place not in ancestors:
                        folders.append((f"{path}/", place, ancestors))
                elif not (anywhere and atomic.TEMPORARY.fullmatch(child.name)):
                    status = os.stat(place) if is_link else child.stat(follow_symlinks=False)
                    _add(tree, path, status, child.path)


def _leads_somewhere(place: str, ancestors: tuple[str, ...], within: str | None) -> bool:
    """Whether a link to ``place`` can be followed."""
    inside = within is None or os.path.commonpath([within, place]) == within
    return inside and place not in ancestors and os.path.exists(place)


def _add(tree: Tree, path: str, status: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        _refuse(name)
    tree.lines.append(f"{path}\0{state(status)}")


def _refuse(name: str) -> NoReturn:
    """Raise the error of `build_manifest`: it finds all that cannot be published before it reads anything."""
    build_manifest(name)
    raise changed_meanwhile(name)


def _portable(path: str) -> str:
    """The path that a manifest has: its bytes as UTF-8 whatever the locale."""
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "surrogateescape")

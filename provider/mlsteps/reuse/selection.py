"""A snapshot of some files of a source directory: for steps that share it and do not need all of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlsteps.exceptions import SnapshotException
from mlsteps.reuse.digest_cache import Tree
from mlsteps.reuse.snapshot import Snapshot, SnapshotEntry, snapshot_digest


@dataclass(frozen=True)
class SelectedSnapshot(Snapshot):
    """The files that were selected; the others are as if they were not there."""

    selected: tuple[SnapshotEntry, ...] = ()

    @cached_property
    def files(self) -> tuple[str, ...]:
        return tuple(entry.path for entry in self.selected)

    def entries(self) -> tuple[SnapshotEntry, ...]:
        return self.selected


def select(snapshot: Snapshot, patterns: Sequence[str]) -> Snapshot:
    """The part of a snapshot that patterns name; all of it without any.

    :param patterns: As in a ``.gitignore`` file, but naming what is taken along.
    :raises SnapshotException: a pattern names nothing: a file that was renamed would be left out in silence.
        Or a link leads to what is left out.
    """
    if not patterns:
        return snapshot
    import pathspec

    try:
        rules = pathspec.GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise SnapshotException(f"source_files {list(patterns)!r}: {error}") from error
    entries = snapshot.entries()
    for pattern in patterns:
        if not pattern.startswith("!"):
            alone = pathspec.GitIgnoreSpec.from_lines([pattern])
            if not any(alone.match_file(entry.path) for entry in entries):
                raise SnapshotException(
                    f"Source directory {str(snapshot.directory)!r}: {pattern!r} of source_files names "
                    f"no file in it that .amlignore or .gitignore leaves."
                )
    selected = tuple(entry for entry in entries if rules.match_file(entry.path))
    _check_links(snapshot, selected)
    return SelectedSnapshot(
        directory=snapshot.directory,
        number_of_files=len(selected),
        bytes=sum(entry.size for entry in selected if entry.kind != "link"),
        digest=snapshot_digest(selected),
        _tree=snapshot._tree,
        selected=selected,
    )


def nothing_of(directory: Path) -> Snapshot:
    """The snapshot of a step that runs no code: the same whatever its folder holds."""
    return SelectedSnapshot(directory, 0, 0, snapshot_digest(()), Tree(None, "nothing", str(directory)))


def _check_links(snapshot: Snapshot, selected: Sequence[SnapshotEntry]) -> None:
    root = os.path.realpath(snapshot.directory)
    links = [entry for entry in selected if entry.kind == "link"]

    def taken(path: str) -> bool:
        return path == "." or any(f"{entry.path}/".startswith(f"{path}/") for entry in selected)

    for link in links:
        named = os.path.normpath(os.path.join(os.path.dirname(link.path), link.digest))
        meant = os.path.relpath(os.path.realpath(os.path.join(root, link.path)), root)
        on_the_way = taken(named) or any(named.startswith(f"{other.path}/") for other in links)
        if not (on_the_way and taken(meant)):
            raise SnapshotException(
                f"Source directory {str(snapshot.directory)!r}: source_files takes the link {link.path} "
                f"to {link.digest!r} along, and not what it points at. Name that too."
            )

"""FrozenCode: a step's code as it was when its pipeline was published, wherever that was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mlsteps.exceptions import SnapshotException
from mlsteps.launcher.strict_json import Fields
from mlsteps.reuse.digest_cache import Tree
from mlsteps.reuse.snapshot import Snapshot, SnapshotEntry, archive_entries, snapshot_digest


@dataclass(frozen=True)
class FrozenCode:
    """What a step takes instead of a source directory, which only the machine has that published it.

    :param snapshot: Digest of the files that the step takes along; None of a step that takes none.
    :param number_of_files: How many those are.
    :param bytes: Their total size.
    :param git: What git said of the source directory.
    :param hash_paths: Digests of further files that count, by their paths as declared.
    """

    snapshot: str | None = None
    number_of_files: int = 0
    bytes: int = 0
    git: Mapping[str, str | bool] = field(default_factory=dict)
    hash_paths: Mapping[str, str] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "snapshot": self.snapshot,
            "files": self.number_of_files,
            "bytes": self.bytes,
            "git": dict(self.git),
            "hash_paths": dict(self.hash_paths),
        }

    @classmethod
    def of(cls, fields: Fields) -> FrozenCode:
        """The code that was written.

        :raises UserErrorException: it is something else; the text names the field.
        """
        code = cls(
            fields.optional_text("snapshot"),
            fields.integer("files"),
            fields.integer("bytes"),
            fields.items("git"),
            fields.mapping("hash_paths"),
        )
        fields.finish()
        return code


@dataclass(frozen=True)
class FrozenSnapshot(Snapshot):
    """The files of an archive whose digest is known; it is opened only if somebody asks which they are.

    :param archive: Finds it on this machine.
    """

    archive: Callable[[], Path] = field(kw_only=True, repr=False, compare=False)

    @cached_property
    def files(self) -> tuple[str, ...]:
        return tuple(entry.path for entry in self.entries())

    def entries(self) -> tuple[SnapshotEntry, ...]:
        """Every file with its digest, sorted by path.

        :raises SnapshotException: the archive holds something else.
        """
        entries = tuple(sorted(archive_entries(self.archive())))
        if snapshot_digest(entries) != self.digest:
            raise SnapshotException(f"The archive of the snapshot {self.digest} holds something else.")
        return entries


def frozen_snapshot(code: FrozenCode, archive: Callable[[], Path]) -> FrozenSnapshot:
    """The snapshot of code that takes source.

    :param archive: Finds the archive on this machine, and fetches it if need be.
    """
    assert code.snapshot is not None
    nowhere = Path("frozen")
    return FrozenSnapshot(
        nowhere,
        code.number_of_files,
        code.bytes,
        code.snapshot,
        Tree(None, "frozen", str(nowhere)),
        archive=archive,
    )

"""Keeping snapshots: one archive for each content, on this machine and on the record store."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from mlsteps.exceptions import SnapshotException
from mlsteps.launcher.snapshot_archive import write_archive
from mlsteps.reuse.digest_cache import DigestCache
from mlsteps.reuse.selection import select
from mlsteps.reuse.snapshot import Snapshot, archive_digest, take_snapshot

_ATTEMPTS = 3


class ArchiveStore(Protocol):
    """The part of a store that snapshots need."""

    def local_path(self, path: str) -> Path | None:
        """The path on this machine, if there is one."""

    def stat(self, path: str) -> object | None:
        """Something if there is a file."""

    def put_file(self, source: Path, path: str) -> None:
        """Copy a local file to the store."""

    def get_file(self, path: str, target: Path) -> None:
        """Copy a file of the store to a local path."""


def store_snapshot(
    directory: Path,
    store: ArchiveStore,
    folder: str,
    cache: Path,
    digests: DigestCache | None = None,
    only: Sequence[str] = (),
) -> tuple[Snapshot, Path]:
    """Snapshot a source directory; its archive is on ``store`` below ``folder`` afterwards.

    :param cache: A local folder for archives where the store is not one.
    :param digests: Of files that have been read before.
    :param only: Patterns of the files to take; none takes all.
    :returns: The snapshot, and its archive on this machine.
    :raises SnapshotException: the directory cannot be read, or does not keep still.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            snapshot = select(take_snapshot(directory, digests), only)
            name = f"{snapshot.digest.rpartition(':')[2]}.zip"
            kept = store.local_path(f"{folder}/{name}")
            archive = kept if kept is not None else cache / name
            if not archive.exists():
                _write(snapshot, archive)
            break
        except SnapshotException:  # also when a file is written or deleted while it is read
            if attempt == _ATTEMPTS:
                raise
    if kept is None and store.stat(f"{folder}/{name}") is None:
        store.put_file(archive, f"{folder}/{name}")
    return snapshot, archive


def fetch_archive(digest: str, store: ArchiveStore, folder: str, cache: Path) -> Path:
    """The archive of a snapshot that was stored, on this machine.

    :param digest: The snapshot's.
    :param folder, cache: As for :func:`store_snapshot`.
    :raises SnapshotException: it is not there any more, or holds something else.
    """
    name = f"{digest.rpartition(':')[2]}.zip"
    kept = store.local_path(f"{folder}/{name}")
    archive = kept if kept is not None else cache / name
    if archive.exists():
        return archive
    draft = archive.with_name(f".{archive.name}.{uuid4().hex}")
    try:
        if kept is None:
            store.get_file(f"{folder}/{name}", draft)
            if archive_digest(draft) != digest:
                raise SnapshotException(f"{folder}/{name} is damaged: it holds something else than {digest}.")
            os.replace(draft, archive)
            return archive
    except FileNotFoundError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    raise SnapshotException(
        f"The code is gone: the workspace has no {folder}/{name} any more. Publish the pipeline again."
    )


def _write(snapshot: Snapshot, archive: Path) -> None:
    """Write the archive under its name; only if that is what it holds, so that a name never lies.

    :raises SnapshotException: a file changed since the snapshot was taken.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    draft = archive.with_name(f".{archive.name}.{uuid4().hex}")
    try:
        write_archive([(file, snapshot.directory / file) for file in snapshot.files], draft)
        if archive_digest(draft) != snapshot.digest:
            raise SnapshotException(
                f"Source directory {str(snapshot.directory)!r} changes while it is read. "
                f"If a step writes there, list what it writes in .amlignore."
            )
        os.replace(draft, archive)
    finally:
        draft.unlink(missing_ok=True)

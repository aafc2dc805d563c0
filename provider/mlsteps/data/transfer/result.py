"""What a transfer did, and the error of one that was told to stop."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlsteps.exceptions import MlstepsException


@dataclass(frozen=True)
class TransferResult:
    """What a finished transfer did.

    :param files, bytes: What was copied.
    :param files_there, bytes_there: What was at the destination already, identical.
    :param files_kept: Files of the destination that differ and were left, as ``overwrite="keep"`` asks for.
    :param files_deleted: Files that the source does not have and ``mirror`` deleted.
    :param seconds: How long it took.
    :param verified: How many of the copied files were compared how: ``digest`` and ``md5`` with what the
        source's store knew of the content; ``service`` where the storage service checked each request's
        checksum or made the copy itself; ``written`` where what was read is what was written and the source
        did not change; ``size`` where the destination says no more than that.
    """

    kind: str
    files: int = 0
    bytes: int = 0
    files_there: int = 0
    bytes_there: int = 0
    files_kept: int = 0
    files_deleted: int = 0
    seconds: float = 0.0
    verified: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [f"{self.files:,} files copied ({self.bytes:,} bytes)", f"{self.files_there:,} already there"]
        if self.files_kept:
            parts.append(f"{self.files_kept:,} left as they differ")
        if self.files_deleted:
            parts.append(f"{self.files_deleted:,} deleted")
        return f"{', '.join(parts)} in {self.seconds:.1f} s"


class TransferStopped(MlstepsException):
    """A transfer was told to stop. What it finished stands; the rest goes on when it is called again."""


class CopiesPending(MlstepsException):
    """Storage services are making copies, and nobody needs to wait for them; the same call goes on later.

    :param paths: Where they are made, on the target's store.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(f"The storage service is making {len(paths):,} copies.")
        self.paths = tuple(paths)


class Tally:
    """Counts for a :class:`TransferResult`, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._verified: Counter[str] = Counter()

    def add(self, **counts: int) -> None:
        """Add to fields of the result."""
        with self._lock:
            self._counts.update(counts)

    def copied(self, size: int, verified: str) -> None:
        """Count one file that was copied."""
        with self._lock:
            self._counts.update(files=1, bytes=size)
            self._verified[verified] += 1

    def result(self, kind: str, seconds: float) -> TransferResult:
        """What was counted so far."""
        with self._lock:
            return TransferResult(kind, seconds=seconds, verified=dict(self._verified), **self._counts)

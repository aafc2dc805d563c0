"""The journal of a run: events appended by the script, read by the script itself and by its launcher."""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import dataclass
from typing import Protocol

from mlsteps.run import values
from mlsteps.run.protocol import Event

_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class EventLog(Protocol):
    """Where a run's events go, and where it reads them back."""

    def append(self, event: Event) -> None:
        """Keep one event."""

    def events(self) -> list[Event]:
        """All events so far, oldest first."""

    def flush(self) -> None:
        """Return when everything appended is safe."""


@dataclass(frozen=True)
class Journal:
    """An event log in a file (``path``, absolute).

    It keeps no descriptor, buffer or lock, so threads, forked children and pickled copies in other processes
    may all append at the same time. An event is one ``write`` to a descriptor opened with ``O_APPEND``, which
    local file systems do not interleave; a process killed inside it leaves at most a torn line, and the next
    event starts a new one.
    """

    path: str

    def append(self, event: Event) -> None:
        """Append one event.

        Raises:
            OSError: the disk is full, or the run directory has gone.
        """
        line = values.dumps(event).encode("ascii") + b"\n"
        descriptor = os.open(self.path, _APPEND, 0o666)
        try:
            if _ends_torn(descriptor):
                line = b"\n" + line
            written = os.write(descriptor, line)
        finally:
            os.close(descriptor)
        if written < len(line):
            raise OSError(f"Only {written} of {len(line)} bytes of an event fitted: disk full? ({self.path})")

    def events(self) -> list[Event]:
        """All events so far, oldest first, also those of other processes."""
        return read_events(self.path)

    def flush(self) -> None:
        """Return when the events have reached the disk, so that they outlive the machine."""
        try:
            descriptor = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            return
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_events(path: str | os.PathLike[str]) -> list[Event]:
    """The events of a journal, oldest first; an empty list if there is no such file.

    A torn last line is skipped in silence: its writer may still be at it. One elsewhere was left by a killed
    process; it is skipped with a warning, since the events around it are sound.
    """
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return []
    events: list[Event] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            event = values.loads(line)
        except ValueError:
            event = None
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            events.append(event)
        elif number < len(lines):
            warnings.warn(f"Skipped line {number} of {os.fspath(path)}: it is not an event", stacklevel=2)
    return events


def utc_now() -> str:
    """The time for an event: UTC, ISO 8601, microseconds, with its offset."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds // 1000:06d}+00:00"


def _ends_torn(descriptor: int) -> bool:
    """Whether the last line has no end. A writer at work right now may look so; that costs an empty line."""
    size = os.fstat(descriptor).st_size
    if not size:
        return False
    os.lseek(descriptor, size - 1, os.SEEK_SET)  # moves reading only: O_APPEND writes at the end
    return os.read(descriptor, 1) != b"\n"

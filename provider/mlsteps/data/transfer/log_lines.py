"""Progress as lines for a log: at most one every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

from mlsteps.data.transfer.progress import Progress

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


class LogLines:
    """Call it with each :class:`Progress`; it says one now and then.

    :param say: Takes a line: ``12.3 of 40.1 GB, 312 of 1,204 files, 87 MB/s, 5 min left``.
    :param every: The fewest seconds from one line to the next.
    """

    def __init__(
        self, say: Callable[[str], None], every: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._every = every
        self._clock = clock
        self._next = clock() + every  # what is over by then needs no line

    def __call__(self, progress: Progress) -> None:
        now = self._clock()
        if now >= self._next:
            self._next = now + self._every
            self._say(line(progress))


def line(progress: Progress) -> str:
    """How far it is, in a line."""
    size = _amount(progress.bytes)
    files = f"{progress.files:,}"
    if progress.total_bytes is not None and progress.total_files is not None:
        total = _amount(progress.total_bytes)
        number, unit = size.split()
        size = f"{number if total.endswith(unit) else size} of {total}"
        files += f" of {progress.total_files:,}"
    parts = [size, f"{files} file{'' if files.endswith(' 1') or files == '1' else 's'}"]
    if progress.rate is not None:
        parts.append(f"{_amount(progress.rate)}/s")
    if progress.seconds_left is not None:
        parts.append(f"{duration(progress.seconds_left)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Roughly how long: ``40 s``, ``5 min``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _amount(count: float) -> str:
    number = float(count)
    for unit in _UNITS:
        if number < 999.5 or unit == _UNITS[-1]:
            break
        number /= 1000
    digits = 0 if unit == "bytes" or number >= 99.95 else 1
    return f"{number:.{digits}f} {unit}"

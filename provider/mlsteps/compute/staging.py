"""Staging: inputs that cannot be read where they are, copied to where the script finds them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.filesize import decimal

from mlsteps.compute.input_cache import InputCache
from mlsteps.data.local_paths import path_below
from mlsteps.launcher.parallel import by_threads

if TYPE_CHECKING:
    from mlsteps.compute.job import JobInput
    from mlsteps.data.stores import FileInfo

THREADS = 8
_SECONDS_BETWEEN_LINES = 5.0


def stage_input(
    port: JobInput,
    target: Path,
    cache: InputCache,
    tell: Callable[[str], None],
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Copy an input's file, or the files of its folder, to ``target``.

    A ``mount`` is a copy that cannot be written to, and shares its files with other steps; a ``download`` is
    the script's own.

    :param tell: Called with a line about the progress, every few seconds if it takes that long.
    :param stopped: When it says so, the rest is left out.
    :raises UserErrorException: a file's name leads out of ``target``; nothing was copied.
    """
    single = port.store.stat(port.path)
    listed = [single] if single is not None else list(port.store.list(port.path))
    places = {info.path: path_below(target, info.below(port.path), name_of(port, info)) for info in listed}
    target.parent.mkdir(parents=True, exist_ok=True)
    if single is None:
        target.mkdir(exist_ok=True)
    for folder in {place.parent for place in places.values()}:
        folder.mkdir(parents=True, exist_ok=True)
    progress = _Progress(port.name, listed, tell)

    def fetch(info: FileInfo) -> None:
        if stopped():
            return
        known = cache.fetch(port.store, info, places[info.path], writable=port.mode == "download")
        progress.done(info, known)

    for _ in by_threads(fetch, listed, THREADS):
        progress.tell_now_and_then()
    progress.tell_the_end()
    cache.trim()


def name_of(port: JobInput, info: FileInfo) -> str:
    """What a file of an input is called in errors."""
    return f"Input {port.name!r}: the file {info.path!r} at {port.store.url('')}"


class _Progress:
    """What has been fetched, in lines now and then."""

    def __init__(self, name: str, listed: list[FileInfo], tell: Callable[[str], None]) -> None:
        self._name = name
        self._files, self._bytes = len(listed), sum(info.size for info in listed)
        self._tell = tell
        self._began = self._told = time.monotonic()
        self._done: list[tuple[int, bool]] = []

    def done(self, info: FileInfo, known: bool) -> None:
        self._done.append((info.size, known))

    def tell_now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._told < _SECONDS_BETWEEN_LINES:
            return
        self._told = now
        here = sum(size for size, _ in self._done)
        left = (now - self._began) * (self._bytes - here) / here if here else 0.0
        self._tell(
            f"Input {self._name}: {decimal(here)} of {decimal(self._bytes)}, "
            f"{len(self._done):,} of {self._files:,} files, {left:.0f} s left"
        )

    def tell_the_end(self) -> None:
        seconds = time.monotonic() - self._began
        known = sum(size for size, known in self._done if known)
        self._tell(
            f"Input {self._name}: {decimal(self._bytes)} in {self._files:,} "
            f"file{'' if self._files == 1 else 's'}, {decimal(known)} of it from the cache, {seconds:.1f} s"
        )

"""One transfer from beginning to end."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Literal

from mlsteps.data.stores.base import FileInfo, Store
from mlsteps.data.transfer.identity import Comparison, by_listing
from mlsteps.data.transfer.listings import Pair, Place, pairs
from mlsteps.data.transfer.mirror import Extras, clear_way
from mlsteps.data.transfer.names import NameCheck, rules_of
from mlsteps.data.transfer.one_file import FileCopier
from mlsteps.data.transfer.partials import clear_leftovers
from mlsteps.data.transfer.places import nothing_there, refuse_overlap, source_place, target_place
from mlsteps.data.transfer.progress import Progress
from mlsteps.data.transfer.result import CopiesPending, TransferResult
from mlsteps.data.transfer.work import Work
from mlsteps.exceptions import UserErrorException
from mlsteps.reuse.digest_cache import DigestCache

Overwrite = Literal["replace", "keep", "refuse"]

# How many files are kept in memory: of a listing, of those that wait for a thread, and of those to be hashed.
_LISTED = 20_000
_WAITING = 100
_UNSETTLED = 20_000
_MOST_PARALLEL = 256


def transfer(
    source: Store,
    source_path: str,
    target: Store,
    target_path: str,
    *,
    kind: Literal["file", "directory"] | None = None,
    mirror: bool = False,
    overwrite: Overwrite = "replace",
    parallel: int = 8,
    bytes_per_second: float | None = None,
    cache: DigestCache | None = None,
    background: bool = False,
    told: Callable[[Progress], None] = lambda progress: None,
    stopped: Callable[[], bool] = lambda: False,
) -> TransferResult:
    """Make a file or folder of one store stand on another one; what is there and identical is not copied.

    A reader of the destination sees each file as it was or as it will be. When this is interrupted, by
    whatever, the next call with the same arguments goes on: whole files are found there, and of large ones
    the pieces that arrived. For what "identical" means see :mod:`mlsteps.data.transfer.identity`.

    :param kind: What the source has to be; None takes what it is.
    :param mirror: Delete what the destination has and the source has not, after everything was copied.
    :param overwrite: What to do with files of the destination that differ: ``replace`` them, ``keep`` them,
        or ``refuse``, which is an error before anything is written.
    :param parallel: Requests or files at the same time.
    :param bytes_per_second: The most that passes through this machine; copies by a service do not.
    :param cache: Remembers digests of files on this machine.
    :param background: Do not wait for copies that a service makes by itself and that take long.
    :param told: Called with the progress a few times a second, by one thread at a time.
    :param stopped: Asked often, by any thread, whether to stop.
    :raises DataNotFoundException: the source does not exist, or a file of it is gone.
    :raises UserErrorException: the two places or the files' names do not allow it; nothing was written.
    :raises CopiesPending: such copies are under way; all else is done, but for what ``mirror`` deletes.
    :raises TransferStopped: ``stopped`` said so.
    :raises MlstepsException: a file of the source changes while it is read, or a store fails.
    """
    _check(overwrite, parallel, bytes_per_second)
    started = time.monotonic()
    origin = source_place(source, source_path, kind)
    place = target_place(origin, target, target_path)
    refuse_overlap(origin, place, mirror)
    with Work(parallel, bytes_per_second, told, stopped) as work:
        _Transfer(origin, place, mirror, overwrite, cache, background, work).run()
        work.meter.close()
    return work.tally.result(origin.kind, time.monotonic() - started)


class _Transfer:
    def __init__(
        self,
        source: Place,
        target: Place,
        mirror: bool,
        overwrite: str,
        cache: DigestCache | None,
        background: bool,
        work: Work,
    ) -> None:
        self._source = source
        self._target = target
        self._mirror = mirror
        self._overwrite = overwrite
        self._work = work
        self._names = NameCheck(rules_of(target.store, target.path), source.url, target.join)
        self._comparison = Comparison(source, target, cache, work)
        self._copier = FileCopier(source, target, work, background)
        self._running: deque[Future[None]] = deque()

    def run(self) -> None:
        files = self._list()
        if self._overwrite == "refuse":
            for path, _ in self._to_copy(files(), None):
                raise UserErrorException(
                    f"{self._target.url(path)!r} exists and differs from {self._source.url(path)!r}: delete "
                    f"it, or allow overwriting."
                )
        with Extras(self._source, self._target, self._names, self._work) as extras:
            for path, info in self._to_copy(files(), extras):
                self._copy(path, info)
            self._await_all()
            if self._copier.pending:
                raise CopiesPending(self._copier.pending)
            if self._mirror:
                extras.delete()
        _clear_leftovers(self._target)

    def _list(self) -> Callable[[], Iterator[tuple[str, FileInfo]]]:
        """List the source once to check its names and to know how much it is; returns what lists it again."""
        count = size = 0
        kept: list[tuple[str, FileInfo]] = []
        for path, info in self._source.files():
            self._work.check()
            self._names.add(path)
            count, size = count + 1, size + info.size
            if len(kept) <= _LISTED:
                kept.append((path, info))
        if count == 0 and self._source.store.local_path(self._source.path) is None:
            raise nothing_there(self._source)
        self._work.meter.expect(count, size)
        if count <= _LISTED:
            return lambda: iter(kept)
        kept.clear()
        return self._source.files

    def _to_copy(
        self, files: Iterator[tuple[str, FileInfo]], extras: Extras | None
    ) -> Iterator[tuple[str, FileInfo]]:
        """What is missing at the destination or differs from it; the rest is counted.

        :param extras: Takes what only the destination has. None asks for differing files alone.
        """
        unsettled: list[Pair] = []
        for pair in pairs(files, self._target.files(), self._target):
            self._work.check()
            path, here, there = pair
            if here is None:
                if extras is not None and self._mirror:
                    extras.add(path)
            elif there is None:
                if extras is not None:
                    yield path, here
            elif (same := by_listing(pair)) is None:
                unsettled.append(pair)
                if len(unsettled) >= _UNSETTLED:
                    yield from self._settled(unsettled, extras)
                    unsettled = []
            elif self._differs(pair, same, extras):
                yield path, here
        yield from self._settled(unsettled, extras)

    def _settled(self, unsettled: list[Pair], extras: Extras | None) -> Iterator[tuple[str, FileInfo]]:
        for pair, same in self._comparison.settle(unsettled):
            if self._differs(pair, same, extras) and pair.source is not None:
                yield pair.path, pair.source

    def _differs(self, pair: Pair, same: bool, extras: Extras | None) -> bool:
        """Whether the file at the destination has to be replaced; if not it is counted."""
        assert pair.source is not None
        if extras is None:
            return not same
        if same:
            self._work.tally.add(files_there=1, bytes_there=pair.source.size)
        elif self._overwrite == "keep":
            self._work.tally.add(files_kept=1)
        else:
            return True
        self._work.meter.finished(pair.source.size)
        return False

    def _copy(self, path: str, info: FileInfo) -> None:
        """Begin with a file; a large one is done by all threads at once before this returns."""
        if self._mirror:
            clear_way(self._target, path)
        if self._copier.uses_all_threads(info):
            self._copier.copy(path, info)
            return
        self._running.append(self._work.start(lambda item: self._copier.copy(*item), (path, info)))
        if len(self._running) >= _WAITING:
            self._running.popleft().result()

    def _await_all(self) -> None:
        while self._running:
            self._running.popleft().result()


def _clear_leftovers(target: Place) -> None:
    """Delete what killed transfers have left in a folder on this machine."""
    local = target.store.local_path(target.path)
    if local is not None and target.kind == "file":
        clear_leftovers([local.parent], only=local)
    elif local is not None:
        clear_leftovers(Path(folder) for folder, _, _ in os.walk(local))


def _check(overwrite: str, parallel: int, bytes_per_second: float | None) -> None:
    if overwrite not in ("replace", "keep", "refuse"):
        raise UserErrorException(f"overwrite is 'replace', 'keep' or 'refuse', got {overwrite!r}.")
    if not 1 <= parallel <= _MOST_PARALLEL:
        raise UserErrorException(f"parallel is a number from 1 to {_MOST_PARALLEL}, got {parallel!r}.")
    if bytes_per_second is not None and not bytes_per_second > 0:
        raise UserErrorException(f"bytes_per_second is more than 0, or None, got {bytes_per_second!r}.")

"""What all parts of one transfer share: its threads, its limits, and whether it has to stop."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import TypeVar

from mlsteps.data.transfer.bandwidth import Bandwidth
from mlsteps.data.transfer.progress import Meter, Progress
from mlsteps.data.transfer.result import Tally, TransferStopped
from mlsteps.launcher.parallel import in_order

S = TypeVar("S")
T = TypeVar("T")


@dataclass
class Work:
    """The threads of a transfer. They never wait for each other, only the caller's thread waits for them.

    :param parallel: How many requests or files are worked on at the same time.
    """

    parallel: int
    bytes_per_second: float | None
    told: Callable[[Progress], None]
    stopped: Callable[[], bool]
    tally: Tally = field(default_factory=Tally)
    _ending: bool = False

    def __post_init__(self) -> None:
        self.meter = Meter(self.told)
        self.bandwidth = Bandwidth(self.bytes_per_second, self.check)
        # A processor stays free for those who send: hashing takes as long as that, and is not what is slow.
        self.hashing = threading.Semaphore(max(1, len(os.sched_getaffinity(0)) - 1))

    def __enter__(self) -> Work:
        self._caller = threading.current_thread()
        self._pool = ThreadPoolExecutor(self.parallel, thread_name_prefix="transfer")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending = error is not None
        self._pool.shutdown(wait=True, cancel_futures=True)

    def check(self) -> None:
        """Raise where the transfer is to stop, or has failed elsewhere.

        :raises TransferStopped: so it is.
        """
        if self._ending or self.stopped():
            raise TransferStopped(
                "The transfer was stopped before its end. What is complete stands; run it again for the rest."
            )

    def start(self, call: Callable[[S], T], item: S) -> Future[T]:
        """Do something in one of the threads."""
        return self._pool.submit(call, item)

    def in_order(self, call: Callable[[S], T], items: Iterable[S], waiting: int = 0) -> Iterator[T]:
        """Results in the order of the items; by all threads, or here if this is one of theirs.

        :param waiting: Items that are taken beyond one for each thread, which otherwise waits while the first
            item takes long.
        """
        if threading.current_thread() is not self._caller:
            return map(call, items)
        return in_order(call, items, self._pool, self.parallel + waiting)

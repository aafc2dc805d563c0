"""Doing many things at once, with bounded memory, and with an end to it when one of them fails."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

S = TypeVar("S")
T = TypeVar("T")


def in_order(work: Callable[[S], T], items: Iterable[S], threads: int) -> Iterator[T]:
    """Yield what ``work`` makes of each item, in their order, done by up to ``threads`` threads.

    Few more items are taken than are worked on. The first error ends it: what has begun is waited for, the
    rest is not begun, and no thread is left.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="data")
    begun: deque[Future[T]] = deque()
    try:
        for item in items:
            begun.append(pool.submit(work, item))
            if len(begun) >= 2 * threads:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        wait([future for future in begun if not future.cancel()])
        pool.shutdown()

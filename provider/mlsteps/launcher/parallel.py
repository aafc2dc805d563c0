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


def in_order(work: Callable[[S], T], items: Iterable[S], pool: ThreadPoolExecutor, ahead: int) -> Iterator[T]:
    """Yield what ``work`` makes of each item, in their order, done by the threads of ``pool``.

    At most ``ahead`` items are taken before the first of their results was. The first error ends it: what has
    begun is waited for, the rest is not begun.
    """
    begun: deque[Future[T]] = deque()
    try:
        for item in items:
            begun.append(pool.submit(work, item))
            if len(begun) >= ahead:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        wait([future for future in begun if not future.cancel()])


def by_threads(work: Callable[[S], T], items: Iterable[S], threads: int) -> Iterator[T]:
    """As `in_order`, by up to ``threads`` threads of its own, of which none is left at the end."""
    with ThreadPoolExecutor(threads, thread_name_prefix="data") as pool:
        yield from in_order(work, items, pool, 2 * threads)

"""Reading a large object by ranges, several at once, as one stream that is whole or an error."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from mlsteps.exceptions import DatastoreException

# As large as the chunks of a digest. Four of them are fetched at once, which is all that one stream holds.
RANGE = 4 * 1024 * 1024
_AT_ONCE = 4

Fetch = Callable[[list[tuple[int, int]]], list[bytes]]


class ReplacedMeanwhile(DatastoreException):
    """An object was replaced while it was being read; what came may be of both."""


class RangesStream(io.RawIOBase):
    """The bytes of one object in order, for an :class:`io.BufferedReader`.

    An object may be replaced between two ranges. So before the end is told, ``verify`` has to find that it
    still is the one that was opened.

    :param fetch: The bytes of ranges, given first byte and the one after the last.
    :param verify: Raises :class:`ReplacedMeanwhile`.
    """

    def __init__(self, size: int, fetch: Fetch, verify: Callable[[], None]) -> None:
        self._size = size
        self._fetch = fetch
        self._verify = verify
        self._fetched = 0
        self._chunks: list[bytes] = []
        self._position = 0  # in the first of the chunks
        self._verified = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._chunks and self._fetched < self._size:
            self._fetch_more()
        if not self._chunks:
            if not self._verified:
                self._verify()
                self._verified = True
            return 0
        part = memoryview(self._chunks[0])[self._position : self._position + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        if self._position == len(self._chunks[0]):
            del self._chunks[0]
            self._position = 0
        return len(part)

    def _fetch_more(self) -> None:
        stop = min(self._size, self._fetched + RANGE * _AT_ONCE)
        ranges = [(start, min(start + RANGE, stop)) for start in range(self._fetched, stop, RANGE)]
        try:
            self._chunks = self._fetch(ranges)
            short = [len(chunk) for chunk in self._chunks] != [end - start for start, end in ranges]
        except Exception:
            self._verify()  # a range beyond the end of a shorter object is no error of the service
            raise
        if short:
            self._verify()
            raise DatastoreException("A range of an object came with fewer bytes than it has.")
        self._fetched = stop

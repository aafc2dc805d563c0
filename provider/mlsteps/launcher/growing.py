"""Files that are sent again and again while they grow: a log, a journal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mlsteps.launcher.remote import block_name, writer_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlsteps.launcher.places import Place
    from mlsteps.launcher.web import Web

_BLOCK = 1024 * 1024
_MOST_BLOCKS = 49_000  # Azure takes 50,000; what comes after that stays where it is
_PLAIN_LIMIT = _BLOCK  # a larger file that has to be sent as a whole each time is sent at the end only


class GrowingFile:
    """A file of which only what is new is sent, where the store can do that.

    Args:
        path: On the disk; it may not be there yet.
        place: Where to.
    """

    def __init__(self, path: str, place: Place) -> None:
        self._path, self._place = path, place
        self._writer = writer_for(place)
        self._size = 0  # of what was sent
        self._blocks: list[str] = []  # that are full, and so sent for the last time
        self._number = 0

    def send(self, web: Web, *, last: bool = False) -> None:
        """Send what it has become, if that is new.

        Raises:
            MlstepsException: The store refuses, or cannot be reached; the next call tries again.
            Cancelled: The work was given up.
            OSError: It cannot be read.
        """
        try:
            size = os.stat(self._path).st_size
        except FileNotFoundError:
            return
        if size == self._size:
            return
        if size < self._size:  # somebody has cut it
            self._blocks = []
        if size <= _BLOCK:
            self._writer.put(web, self._place, self._read(0, size))
        elif self._writer.takes_blocks:
            size = self._send_blocks(web, min(size, _BLOCK * _MOST_BLOCKS))
        elif last or size <= _PLAIN_LIMIT:
            self._writer.put_stream(web, self._place, size, lambda: self._pieces(size))
        else:
            return
        self._size = size

    def _send_blocks(self, web: Web, size: int) -> int:
        self._number += 1
        while size - len(self._blocks) * _BLOCK >= _BLOCK:
            self._blocks.append(self._send_block(web, _BLOCK))
        names = list(self._blocks)
        rest = size - len(self._blocks) * _BLOCK
        if rest:
            names.append(self._send_block(web, rest))
        self._writer.commit(web, self._place, names)
        return size

    def _send_block(self, web: Web, length: int) -> str:
        number = len(self._blocks)
        name = block_name(number, f"{self._number:010d}")
        self._writer.put_block(web, self._place, name, self._read(number * _BLOCK, length))
        return name

    def _pieces(self, size: int) -> Iterator[bytes]:
        for start in range(0, size, _BLOCK):
            yield self._read(start, min(_BLOCK, size - start))

    def _read(self, start: int, length: int) -> bytes:
        with open(self._path, "rb") as file:
            file.seek(start)
            data = file.read(length)
        if len(data) != length:
            raise OSError(f"{self._path!r} became shorter while it was read")
        return data

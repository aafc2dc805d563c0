"""Two sorted listings side by side, a file at a time, whatever their length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mlsteps.data.stores.base import FileInfo, Store

# Stores sort alike by characters below this one; see Store.list.
_SURROGATES = "\ud800"


class Pair(NamedTuple):
    """A path below the two places, and what is there in each."""

    path: str
    source: FileInfo | None
    target: FileInfo | None


@dataclass(frozen=True)
class Place:
    """A file or folder of a store.

    :param kind: ``file`` or ``directory``.
    """

    store: Store
    path: str
    kind: str

    def join(self, below: str) -> str:
        """The path on the store of what lies below this; the place's own for an empty path."""
        return "/".join(part for part in (self.path, below) if part)

    def url(self, below: str = "") -> str:
        """The same for people."""
        return self.store.url(self.join(below))

    def stat(self, below: str) -> FileInfo | None:
        """What is there now."""
        return self.store.stat(self.join(below))

    def files(self) -> Iterator[tuple[str, FileInfo]]:
        """Every file by its path below this place."""
        if self.kind == "file":
            found = self.store.stat(self.path)
            if found is not None:
                yield "", found
            return
        start = f"{self.path}/" if self.path else ""
        for info in self.store.list(self.path):
            if info.path.startswith(start):  # and is not a file of the folder's own name
                yield info.path[len(start) :], info


def pairs(
    source: Iterator[tuple[str, FileInfo]], target: Iterator[tuple[str, FileInfo]], there: Place
) -> Iterator[Pair]:
    """Both listings by path, which have to be sorted.

    Not all stores sort all names alike. Where a name could have been passed by for that reason, or a listing
    turns out not to be sorted, the target is asked for it before it counts as missing. A pair without a
    source may be one that was passed by: ask the source before believing it.
    """
    left, right = _Ordered(source), _Ordered(target)
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None
            path, info = one
            doubtful = _is_sorted_differently(path) or not (left.sorted and right.sorted)
            yield Pair(path, info, there.stat(path) if doubtful else None)
            one = next(left, None)
        elif one is None or other[0] < one[0]:
            yield Pair(other[0], None, other[1])
            other = next(right, None)
        else:
            yield Pair(one[0], one[1], other[1])
            one, other = next(left, None), next(right, None)


class _Ordered(Iterator[tuple[str, FileInfo]]):
    """A listing that knows whether it is sorted, apart from names that stores sort differently."""

    def __init__(self, files: Iterator[tuple[str, FileInfo]]) -> None:
        self._files = files
        self._last = ""
        self.sorted = True

    def __next__(self) -> tuple[str, FileInfo]:
        found = next(self._files)
        if not _is_sorted_differently(found[0]):
            self.sorted = self.sorted and self._last <= found[0]
            self._last = found[0]
        return found


def _is_sorted_differently(path: str) -> bool:
    return not path.isascii() and max(path) >= _SURROGATES

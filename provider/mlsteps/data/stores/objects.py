"""What an ObjectStorageStore asks of a filesystem of fsspec; one subclass for each kind that can do more."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from mlsteps.data.stores.base import FileInfo
from mlsteps.exceptions import DatastoreException

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class Objects:
    """Objects of any filesystem by their place, which is bucket and name; errors are the filesystem's.

    Whether an exclusive write is one is nothing that fsspec could say: where it is not, it looks first and
    writes then. So only subclasses for a filesystem that is known to do it can create.
    """

    not_in_names: ClassVar[tuple[str, ...]] = ()
    """What the filesystem takes for something else when it stands in a name."""

    def __init__(self, fs: AbstractFileSystem) -> None:
        self.fs = fs
        # What another process wrote must be seen at once, and so must what is written past this cache.
        fs.dircache.use_listings_cache = False
        fs.dircache.clear()

    def stat(self, place: str) -> FileInfo | None:
        """The object at ``place``, if there is one."""
        try:
            found = self.fs.info(place)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _info(found) if found["type"] == "file" else None

    def below(self, folder: str) -> Iterator[FileInfo]:
        """All objects in a folder and its folders, sorted by place."""
        for place, found in self._children(folder):
            if place.endswith("/"):
                yield from self.below(place[:-1])
            else:
                yield _info(found)

    def names(self, folder: str) -> Iterator[str]:
        """Names of the objects and folders directly in a folder."""
        for place, _ in self._children(folder):
            yield place.rstrip("/").rpartition("/")[2]

    def _children(self, folder: str) -> builtins.list[tuple[str, Mapping[str, Any]]]:
        try:
            found = self.fs.ls(folder, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        start = f"{folder}/"
        places = [(f"{one['name']}/" if one["type"] == "directory" else one["name"], one) for one in found]
        below = [(place, one) for place, one in places if place.startswith(start) and place != start]
        return sorted(below, key=lambda child: child[0])

    def read(self, place: str) -> bytes:
        """A small object, by one request."""
        return bytes(self.fs.cat_file(place))

    def read_ranges(self, place: str, ranges: builtins.list[tuple[int, int]]) -> builtins.list[bytes]:
        """Parts of an object, fetched at once: first byte, and the one after the last."""
        starts, ends = zip(*ranges, strict=True)
        got = self.fs.cat_ranges([place] * len(ranges), list(starts), list(ends), on_error="raise")
        return [bytes(part) for part in got]

    def write(self, place: str, data: bytes) -> None:
        """Write or replace a small object."""
        self.fs.pipe_file(place, data)

    def create(self, place: str, data: bytes) -> bool:
        """Write a small object unless there is one; True for the one caller that made it."""
        name = self.fs.protocol if isinstance(self.fs.protocol, str) else self.fs.protocol[0]
        raise DatastoreException(
            f"Creating {place!r}: a filesystem of kind {name!r} is not known to create a file for exactly one"
            f" of several callers, which records and reuse are built on. It can hold data; keep records in a"
            f" folder, in Azure Blob, S3 or Google Cloud Storage."
        )

    def put(self, source: str, size: int, place: str) -> None:
        """Upload a local file, a part at a time."""
        self.fs.put_file(source, place)

    def delete(self, places: Iterable[str]) -> None:
        """Delete objects. One that is not there is no error."""
        for place in places:
            try:
                self.fs.rm_file(place)
            except FileNotFoundError:
                continue

    def copy(self, source: Objects, source_place: str, place: str) -> bool:
        """Copy an object within the service; False where it cannot do that, or must not."""
        return False

    def signed_url(self, place: str, seconds: float, *, write: bool) -> str | None:
        """A URL that opens one object for a while, if such can be made here."""
        return None


def is_name(key: str) -> bool:
    """Whether a path can name an object: others' keys may have empty parts, or stand for a folder."""
    return not {"", ".", ".."} & set(key.split("/"))


def _info(found: Mapping[str, Any]) -> FileInfo:
    etag = found.get("ETag") or found.get("etag")
    return FileInfo(found["name"], int(found["size"]), f"etag:{etag.strip(chr(34))}" if etag else None)

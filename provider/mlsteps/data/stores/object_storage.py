"""ObjectStorageStore: a bucket of S3 or Google Cloud Storage, or another filesystem that fsspec knows."""

from __future__ import annotations

import builtins
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from mlsteps.data.stores.base import FileInfo, Store, exact_path
from mlsteps.data.stores.object_errors import Telling
from mlsteps.data.stores.object_reading import RANGE, RangesStream, ReplacedMeanwhile
from mlsteps.data.stores.objects import Objects
from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_TRIES = 5


class ObjectStorageStore(Store):
    """Objects below a root by their names; a slash in a name makes a folder.

    What is written stands as a whole with the service's answer, and every reader sees it from then on. S3
    and Google Cloud Storage keep all promises of a store; other filesystems can hold data and no records.

    :param fs: The filesystem, whose listings are no longer cached from now on. Any number of threads may
        use it, but no process that was forked after it was made.
    :param root: Bucket and folder that are the store's root, as the filesystem writes them.
    :param url: The same for people: ``s3://bucket/folder``, without credentials.
    :param label: Where the filesystem's credentials are from, for errors.
    """

    def __init__(
        self, fs: AbstractFileSystem, root: str, url: str, label: str = "the filesystem's configuration"
    ) -> None:
        self._objects = _objects(fs)
        self._root = fs._strip_protocol(root)
        self._url = url.rstrip("/")
        self._telling = Telling(label, fs.storage_options)

    def __repr__(self) -> str:
        return f"ObjectStorageStore({self._url!r})"

    def url(self, path: str) -> str:
        name = exact_path(path)
        return f"{self._url}/{name}" if name else self._url

    def stat(self, path: str) -> FileInfo | None:
        if not exact_path(path):
            return None
        try:
            with self._telling.reading("Looking at", self.url(path)):
                found = self._objects.stat(self._place(path))
        except FileNotFoundError:
            return None
        return self._here(found) if found else None

    def list(self, prefix: str = "") -> Iterator[FileInfo]:
        single = self.stat(prefix)
        if single is not None:
            yield single
        with self._telling.reading("Listing", self.url(prefix)):
            for found in self._objects.below(self._place(prefix)):
                yield self._here(found)

    def list_names(self, folder: str = "") -> builtins.list[str]:
        with self._telling.reading("Listing", self.url(folder)):
            return sorted(set(self._objects.names(self._place(folder))))

    def open(self, path: str) -> BinaryIO:
        found = self._file(path)
        if found.size <= RANGE:
            return io.BytesIO(self.read(path))
        place = self._place(path)

        def fetch(ranges: builtins.list[tuple[int, int]]) -> builtins.list[bytes]:
            with self._telling.reading("Reading", self.url(path)):
                return self._objects.read_ranges(place, ranges)

        def verify() -> None:
            if self.stat(path) != found:
                raise ReplacedMeanwhile(
                    f"Reading {self.url(path)}: it was replaced meanwhile. Read it again, or see that nobody "
                    f"writes to it now."
                )

        return cast("BinaryIO", io.BufferedReader(RangesStream(found.size, fetch, verify), 1 << 20))

    def read(self, path: str) -> bytes:
        with self._telling.reading("Reading", self.url(path)):
            return self._objects.read(self._file_place(path))

    def get_file(self, path: str, target: Path) -> None:
        for _ in range(_TRIES - 1):
            try:
                return super().get_file(path, target)
            except ReplacedMeanwhile:
                continue
        super().get_file(path, target)

    def write(self, path: str, data: bytes, durable: bool = True) -> None:
        place = self._file_place(path)
        with self._telling.writing(self.url(path)):
            self._objects.write(place, data)

    def create(self, path: str, data: bytes) -> bool:
        place = self._file_place(path)
        with self._telling.writing(self.url(path)):
            return self._objects.create(place, data)

    def put_file(self, source: Path, path: str) -> None:
        place = self._file_place(path)
        with source.open("rb") as file:  # what is wrong with it is no error of the service
            size = file.seek(0, io.SEEK_END)
            with self._telling.writing(self.url(path)):
                self._objects.put(str(source), size, place)

    def delete(self, path: str) -> None:
        with self._telling.reading("Deleting", self.url(path)):
            self._objects.delete(self._place(info.path) for info in self.list(path))

    def copy_here(self, source: Store, source_path: str, path: str) -> bool:
        place = self._file_place(path)
        if not isinstance(source, ObjectStorageStore):
            return False
        source._file(source_path)
        with self._telling.writing(self.url(path)):
            return self._objects.copy(source._objects, source._place(source_path), place)

    def signed_url(self, path: str, seconds: float, *, write: bool = False) -> str | None:
        place = self._file_place(path)
        with self._telling.reading("Signing a URL of", self.url(path)):
            return self._objects.signed_url(place, seconds, write=write)

    def _file(self, path: str) -> FileInfo:
        found = self.stat(path)
        if found is None:
            raise FileNotFoundError(f"There is no file at {self.url(path)}")
        return found

    def _file_place(self, path: str) -> str:
        if not exact_path(path):
            raise UserErrorException(f"{self._url!r} is the datastore itself, not a file on it.")
        return self._place(path)

    def _place(self, path: str) -> str:
        name = exact_path(path)
        for text in self._objects.not_in_names:
            if text in name:
                raise UserErrorException(f"{self.url(path)!r}: a name here cannot hold {text!r}.")
        return f"{self._root}/{name}" if name else self._root

    def _here(self, found: FileInfo) -> FileInfo:
        return FileInfo(found.path[len(self._root) + 1 :], found.size, found.content, found.version)


def _objects(fs: AbstractFileSystem) -> Objects:
    protocols = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
    if "s3" in protocols:
        from mlsteps.data.stores.objects_s3 import S3Objects

        return S3Objects(fs)
    if "gs" in protocols:
        from mlsteps.data.stores.objects_gcs import GcsObjects

        return GcsObjects(fs)
    return Objects(fs)

"""S3 and what speaks its protocol, through s3fs."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mlsteps.data.stores.base import FileInfo
from mlsteps.data.stores.object_errors import answer
from mlsteps.data.stores.objects import Objects, is_name
from mlsteps.exceptions import DatastoreException

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_WRITER = "mlstepswriter"
_PART = 8 * 1024 * 1024
_PARTS_AT_ONCE = 4
_MOST_PARTS = 10_000  # of one upload
_PAGE = 1000  # the most that one request deletes
_CONFLICTS = 8

_proven: set[tuple[str, str]] = set()
_proving = threading.Lock()


class S3Objects(Objects):
    """Listings and exclusive writes by S3's own requests, which s3fs would hold whole or cut short.

    An exclusive write is S3's conditional one (``If-None-Match: *``). A service that does not know the
    condition does not refuse it, it overwrites. So each bucket is tried out before the first such write.
    """

    not_in_names = ("?versionId=",)

    def stat(self, place: str) -> FileInfo | None:
        bucket, key = self._split(place)
        if not key:
            return None
        try:
            found = self.fs.call_s3("head_object", Bucket=bucket, Key=key)
        except FileNotFoundError:
            return None
        return _info(place, found["ContentLength"], found)

    def below(self, folder: str) -> Iterator[FileInfo]:
        bucket, key = self._split(folder)
        for page in self._pages(bucket, key):
            for found in page.get("Contents", ()):
                if is_name(found["Key"]):
                    yield _info(f"{bucket}/{found['Key']}", found["Size"], found)

    def names(self, folder: str) -> Iterator[str]:
        bucket, key = self._split(folder)
        for page in self._pages(bucket, key, Delimiter="/"):
            keys = [found["Key"] for found in page.get("Contents", ())]
            keys += [found["Prefix"][:-1] for found in page.get("CommonPrefixes", ())]
            yield from (name.rpartition("/")[2] for name in keys if is_name(name))

    def _pages(self, bucket: str, key: str, **options: str) -> Iterator[Mapping[str, Any]]:
        if key:
            options["Prefix"] = f"{key}/"
        while True:
            page = self.fs.call_s3("list_objects_v2", Bucket=bucket, **options)
            yield page
            if not page.get("IsTruncated"):
                return
            options["ContinuationToken"] = page["NextContinuationToken"]

    def create(self, place: str, data: bytes) -> bool:
        self._prove(place)
        return self._create(place, data)

    def _create(self, place: str, data: bytes) -> bool:
        bucket, key = self._split(place)
        writer = uuid4().hex
        for attempt in range(_CONFLICTS):
            try:
                self.fs.call_s3(
                    "put_object",
                    Bucket=bucket,
                    Key=key,
                    Body=data,
                    IfNoneMatch="*",
                    Metadata={_WRITER: writer},
                )
                return True
            except OSError as error:
                code, status = answer(error)
                if status == 412:
                    return self._is_by(bucket, key, writer)
                # Two conditional writes met; S3 wants the one that lost to ask again.
                if status != 409 or code == "NoSuchBucket" or attempt == _CONFLICTS - 1:
                    raise
                time.sleep(random.uniform(0.02, 0.1) * 2**attempt)
        raise AssertionError("unreachable")

    def _is_by(self, bucket: str, key: str, writer: str) -> bool:
        """Whether a refused write is our own: the answer to an earlier try of it may have been lost."""
        try:
            found = self.fs.call_s3("head_object", Bucket=bucket, Key=key)
        except FileNotFoundError:
            return False
        return bool(found.get("Metadata", {}).get(_WRITER) == writer)

    def _prove(self, place: str) -> None:
        """Try out once whether an exclusive write is one here.

        :raises DatastoreException: it is not.
        """
        proof = (str(self.fs.s3.meta.endpoint_url), self._split(place)[0])
        with _proving:
            if proof in _proven:
                return
            probe = f"{place.rpartition('/')[0]}/mlsteps-probe-{uuid4().hex}"
            try:
                exclusive = self._create(probe, b"1") and not self._create(probe, b"2")
            finally:
                self.delete([probe])
            if not exclusive:
                raise DatastoreException(
                    f"Creating {place!r}: the service at {proof[0]} overwrites objects though told not to "
                    f"(If-None-Match), so that records and reuse would not be safe on it. It can hold data; "
                    f"update the service, or keep the workspace's records elsewhere."
                )
            _proven.add(proof)

    def put(self, source: str, size: int, place: str) -> None:
        part = max(_PART, -(-size // _MOST_PARTS))
        self.fs.put_file(source, place, chunksize=part, max_concurrency=_PARTS_AT_ONCE)

    def delete(self, places: Iterable[str]) -> None:
        rest = iter(places)
        while page := list(islice(rest, _PAGE)):
            bucket = self._split(page[0])[0]
            keys = [{"Key": self._split(place)[1]} for place in page]
            told = self.fs.call_s3("delete_objects", Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
            for error in told.get("Errors", ()):
                what, why = f"{bucket}/{error.get('Key')}", f"{error.get('Code')}: {error.get('Message')}"
                raise DatastoreException(f"Deleting {what!r}: {why}")

    def copy(self, source: Objects, source_place: str, place: str) -> bool:
        if not isinstance(source, S3Objects) or _endpoint(source.fs) != _endpoint(self.fs):
            return False
        try:
            self.fs.cp_file(source_place, place)
        except PermissionError:  # what may write here need not be allowed to read there
            return False
        return True

    def signed_url(self, place: str, seconds: float, *, write: bool) -> str | None:
        if getattr(self.fs, "anon", False):
            return None
        method = "put_object" if write else "get_object"
        return str(self.fs.sign(place, expiration=max(1, int(seconds)), client_method=method))

    def _split(self, place: str) -> tuple[str, str]:
        bucket, key, _ = self.fs.split_path(place)
        return bucket, key


def _endpoint(fs: AbstractFileSystem) -> str:
    return str(fs.s3.meta.endpoint_url)


def _info(place: str, size: int, found: Mapping[str, Any]) -> FileInfo:
    # Same bytes may have the same tag, written twice: S3 has nothing that a listing shows of every write.
    return FileInfo(place, size, f"etag:{found['ETag'].strip(chr(34))}")

"""Google Cloud Storage, through gcsfs."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from mlsteps.data.stores.base import FileInfo
from mlsteps.data.stores.objects import Objects, is_name

_WRITER = "mlstepswriter"
_PART = 8 * 1024 * 1024


class GcsObjects(Objects):
    """Listings by the service's pages, exclusive writes by its generations (``ifGenerationMatch=0``)."""

    def stat(self, place: str) -> FileInfo | None:
        found = self._get(place)
        return _info(place, found) if found else None

    def _get(self, place: str) -> Mapping[str, Any] | None:
        bucket, key = self._split(place)
        if not key:
            return None
        try:
            found: Mapping[str, Any] = self.fs.call("GET", "b/{}/o/{}", bucket, key, json_out=True)
        except FileNotFoundError:
            return None
        return found

    def below(self, folder: str) -> Iterator[FileInfo]:
        bucket, key = self._split(folder)
        for page in self._pages(bucket, key):
            for found in page.get("items", ()):
                if is_name(found["name"]):
                    yield _info(f"{bucket}/{found['name']}", found)

    def names(self, folder: str) -> Iterator[str]:
        bucket, key = self._split(folder)
        for page in self._pages(bucket, key, delimiter="/"):
            names = [found["name"] for found in page.get("items", ())]
            names += [prefix[:-1] for prefix in page.get("prefixes", ())]
            yield from (name.rpartition("/")[2] for name in names if is_name(name))

    def _pages(self, bucket: str, key: str, **options: str) -> Iterator[Mapping[str, Any]]:
        if key:
            options["prefix"] = f"{key}/"
        while True:
            page = self.fs.call("GET", "b/{}/o", bucket, json_out=True, **options)
            yield page
            if not page.get("nextPageToken"):
                return
            options["pageToken"] = page["nextPageToken"]

    def create(self, place: str, data: bytes) -> bool:
        writer = uuid4().hex
        try:
            self.fs.pipe_file(place, data, mode="create", metadata={_WRITER: writer})
        except FileExistsError:
            # The answer to an earlier try of this very request may have been lost.
            found = self._get(place) or {}
            return bool(found.get("metadata", {}).get(_WRITER) == writer)
        return True

    def put(self, source: str, size: int, place: str) -> None:
        self.fs.put_file(source, place, chunksize=_PART)

    def copy(self, source: Objects, source_place: str, place: str) -> bool:
        if not isinstance(source, GcsObjects) or source.fs.project != self.fs.project:
            return False
        self.fs.cp_file(source_place, place)
        return True

    def signed_url(self, place: str, seconds: float, *, write: bool) -> str | None:
        try:
            method = "PUT" if write else "GET"
            url = self.fs.sign(place, expiration=max(1, int(seconds)), version="v4", method=method)
        except Exception:  # credentials without a private key are told by errors of many kinds
            return None
        return str(url)

    def _split(self, place: str) -> tuple[str, str]:
        bucket, key, _ = self.fs.split_path(place)
        return bucket, key


def _info(place: str, found: Mapping[str, Any]) -> FileInfo:
    md5 = found.get("md5Hash")  # which an object that was composed of others has not
    content = f"md5:{base64.b64decode(md5).hex()}" if md5 else f"etag:{found['etag']}"
    return FileInfo(place, int(found.get("size", 0)), content, str(found.get("generation")))

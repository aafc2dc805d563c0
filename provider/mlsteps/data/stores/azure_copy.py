"""Copying blobs within Azure: the service reads the source, and no byte of it comes here.

Up to 256 MiB one request copies a blob, and its answer says that the copy stands. Azure refuses it for larger
ones, which is tried once, as others do not. Then those are copied by blocks, several at a time, that one
request makes the blob at the end; blocks that an earlier try has copied stay. A service that cannot do that
is asked for a copy in the background, which is waited for, and aborted when nobody waits any more.

Each request has the ETag of the source with it. So the copy is of that version, and its metadata, among
which is our digest, fit what was copied.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from mlsteps.data.stores.azure_account import error_code
from mlsteps.data.stores.azure_blocks import BlockIds, commit_blocks
from mlsteps.data.stores.azure_ranges import ChangedMeanwhile
from mlsteps.data.stores.base import FileInfo
from mlsteps.exceptions import DatastoreException
from mlsteps.launcher.remote import DIGEST_KEY

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

    from mlsteps.data.stores.azure_blob import AzureBlobStore

ONE_REQUEST = 256 * 1024 * 1024
"""The largest blob that one request copies."""

_BLOCK = 64 * 1024 * 1024
_MOST_BLOCKS = 50_000
# How long the service may read the source of a copy that nobody waits for.
_DAYS = 5 * 24 * 3600.0
_PENDING = "PendingCopyOperation"
# What a service says that does not know a request, or that may not read the source.
_CANNOT = ("APINotImplemented", "UnsupportedHeader", "InvalidHeaderValue", "CannotVerifyCopySource")


class InOrder(Protocol):
    """Does something with each item, several at a time, and gives the results in order."""

    def __call__(self, work: Callable[[int], str], items: Iterable[int], /) -> Iterator[str]:
        """See ``launcher.parallel.in_order``."""


def copy_blob(
    source: AzureBlobStore,
    info: FileInfo,
    target: AzureBlobStore,
    path: str,
    in_order: InOrder,
    check: Callable[[], None] = lambda: None,
) -> bool:
    """Copy the version of a blob that ``info`` tells of; False if the service cannot, or may not.

    :param check: Called while waiting; what it raises ends the copy.
    :raises ChangedMeanwhile: it is no longer that version.
    :raises FileNotFoundError: it is gone.
    """
    from azure.core.exceptions import HttpResponseError

    try:
        if not source.signer.can_sign:
            return False
        source.signer.container(source.container)
    except HttpResponseError:
        return False  # a token may open the data and still not be allowed to sign
    return target.writing(path, _Copy(source, info, target, path, in_order, check).run)


class _Copy:
    def __init__(
        self,
        source: AzureBlobStore,
        info: FileInfo,
        target: AzureBlobStore,
        path: str,
        in_order: InOrder,
        check: Callable[[], None],
    ) -> None:
        self._source = source
        self._info = info
        self._target = target
        self._path = path
        self._in_order = in_order
        self._check = check
        self._same_account = source.endpoint == target.endpoint

    def run(self) -> bool:
        """Copy it, by the first way that works."""
        if self._info.size <= ONE_REQUEST:
            return self._attempt(self._at_once)
        if self._target.copies_large:
            if self._quickly():
                return True
            self._target.copies_large = False
        if self._target.copies_blocks:
            if self._attempt(self._by_blocks):
                return True
            self._target.copies_blocks = False
        return self._attempt(self._in_background)

    @cached_property
    def _from(self) -> BlobClient:
        return self._source.blob(self._info.path)

    @cached_property
    def _to(self) -> BlobClient:
        return self._target.blob(self._path)

    def _attempt(self, way: Callable[[], None]) -> bool:
        from azure.core.exceptions import HttpResponseError

        while True:
            try:
                way()
                return True
            except HttpResponseError as error:
                code = error_code(error)
                if error.status_code == 412 or code == "SourceConditionNotMet":
                    raise ChangedMeanwhile(
                        f"{self._source.url(self._info.path)} was written meanwhile."
                    ) from None
                if code == _PENDING:  # of an earlier try, or the answer to this one was lost
                    self._wait()
                elif code not in _CANNOT:
                    raise
                elif error.status_code == 404 and self._source.stat(self._info.path) is None:
                    raise FileNotFoundError(
                        f"There is no file at {self._source.url(self._info.path)}"
                    ) from None
                else:
                    return False

    @property
    def _url(self) -> str:
        """Where the service reads the source; a secret."""
        signature = self._source.signer.container(self._source.container)
        return f"{self._bare_url}?{signature}"

    @property
    def _bare_url(self) -> str:
        return _address(self._source, self._info)

    def _quickly(self) -> bool:
        """Copy it by one request; whether that is known to have worked. What did not work changed nothing."""
        quick, tag = self._target.quick, self._info.version
        name = self._target.name(self._path)
        return bool(quick and tag and _keeps_metadata(self._info) and quick.copy(name, self._url, tag))

    def _at_once(self) -> None:
        if self._quickly():
            return
        start_copy(self._source, self._info, self._to, self._url, requires_sync=True)

    def _by_blocks(self) -> None:
        size, ids = self._info.size, BlockIds(self._to)
        length = max(_BLOCK, -(-size // _MOST_BLOCKS))

        def copy(start: int) -> str:
            self._check()
            count = min(length, size - start)
            told = f"{self._source.url(self._info.path)}\0{self._info.version}\0{start}\0{count}"
            name = ids.of(start // length, [told.encode(), b""])
            if not ids.is_there(name, count):
                self._to.stage_block_from_url(name, self._url, start, count)
            return name

        names = list(self._in_order(copy, range(0, size, length)))
        found = self._from.get_blob_properties()
        # Blocks are not bound to an ETag, but one that is still the same was the same all the time.
        if str(found.etag).strip('"') != self._info.version:
            raise ChangedMeanwhile(f"{self._source.url(self._info.path)} was written meanwhile.")
        metadata = _metadata(self._source, self._info)
        commit_blocks(
            self._to,
            names,
            dict(found.metadata or {}) if metadata is None else metadata,
            found.content_settings,
        )

    def _in_background(self) -> None:
        start_copy(self._source, self._info, self._to, self._bare_url if self._same_account else self._url)
        self._wait()

    def _wait(self) -> None:
        """Wait until no copy to the target is under way; if that is given up, abort the copy."""
        pause = 0.05
        while True:
            found = self._to.get_blob_properties()
            status = found.copy.status
            if status != "pending":
                break
            try:
                self._check()
                time.sleep(pause)
            except BaseException:
                _abort(self._to, str(found.copy.id))
                raise
            pause = min(2 * pause, 2.0)
        if status not in (None, "success"):
            raise DatastoreException(
                f"Azure could not copy {self._source.url(self._info.path)}: {status}, "
                f"{found.copy.status_description}. Copy it again."
            )


def start_copy(
    source: AzureBlobStore, info: FileInfo, to: BlobClient, url: str, *, requires_sync: bool | None = None
) -> None:
    """Ask for a copy of the version that ``info`` tells of.

    :param url: Where the service reads the source.
    """
    from azure.core import MatchConditions

    to.start_copy_from_url(
        url,
        metadata=_metadata(source, info),
        requires_sync=requires_sync,
        source_etag=f'"{info.version}"',
        source_match_condition=MatchConditions.IfNotModified,
    )


def sign_for_copy(source: AzureBlobStore, info: FileInfo) -> str:
    """Where the service may read one blob for some days; a secret."""
    return f"{_address(source, info)}?{source.signer.blob(source.blob(info.path), _DAYS, write=False)}"


def _address(source: AzureBlobStore, info: FileInfo) -> str:
    return f"{source.endpoint}/{source.container}/{quote(source.name(info.path), safe='/~')}"


def _keeps_metadata(info: FileInfo) -> bool:
    """Whether a blob's metadata are true of what it holds now."""
    return not (info.content or "etag:").startswith("etag:")


def _metadata(source: AzureBlobStore, info: FileInfo) -> dict[str, str] | None:
    """What the copy's metadata have to be; None for those of the source."""
    if _keeps_metadata(info):
        return None
    # Of a blob that is written in place, as pages and appended blocks are, our digest may be long wrong.
    found = dict(source.blob(info.path).get_blob_properties().metadata or {})
    return {**found, DIGEST_KEY: "unknown"} if DIGEST_KEY in found else None


def _abort(blob: BlobClient, copy: str) -> None:
    from azure.core.exceptions import AzureError

    with suppress(AzureError):  # it may have ended meanwhile
        blob.abort_copy(copy)

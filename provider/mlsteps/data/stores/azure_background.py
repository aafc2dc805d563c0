"""Copies of large blobs that Azure makes by itself, for hours if need be, while nobody waits.

While such a copy is under way an empty blob stands in its place. So it is made beside the target, under a
name that no listing shows, and becomes the target by a copy within the account, which is quick. The name is
made of the source's version: whoever asks again, after whatever happened to the one who asked first, finds
the copy.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from mlsteps.data.stores.azure_account import error_code
from mlsteps.data.stores.azure_copy import InOrder, copy_blob, sign_for_copy, start_copy
from mlsteps.data.stores.azure_listing import ASIDE_MARK, list_blobs
from mlsteps.data.stores.azure_properties import info_of
from mlsteps.data.stores.azure_ranges import ChangedMeanwhile
from mlsteps.exceptions import DatastoreException

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties

    from mlsteps.data.stores.azure_blob import AzureBlobStore
    from mlsteps.data.stores.base import FileInfo

CopyState = Literal["none", "pending", "success", "failed"]
"""Of a copy in the background; ``none`` where it was never asked for, or is done with."""


class BackgroundCopy:
    """The copy of one version of a blob to another account.

    :param info: The source's version.
    :param path: Where it shall stand.
    """

    def __init__(self, source: AzureBlobStore, info: FileInfo, target: AzureBlobStore, path: str) -> None:
        self._source = source
        self._info = info
        self._target = target
        self._path = path
        told = f"{source.url(info.path)}\0{info.version}"
        self.aside = f"{_beginning(path)}{hashlib.sha256(told.encode()).hexdigest()[:12]}.tmp"

    def begin(self) -> CopyState:
        """Ask for it, unless that was done; returns how it stands.

        :raises ChangedMeanwhile: the source is no longer that version.
        :raises FileNotFoundError: it is gone.
        :raises DatastoreException: Azure tried, and could not.
        """
        state = copy_state(self._target, self.aside)
        if state == "none":
            self._target.writing(self._path, self._start)
            state = copy_state(self._target, self.aside)
        if state == "failed":
            found = self._properties()
            told = f"{found.copy.status}, {found.copy.status_description}" if found else "it is gone"
            self._target.delete_file(self.aside)
            raise DatastoreException(
                f"Azure could not copy {self._source.url(self._info.path)}: {told}. Copy it again."
            )
        return state

    def finish(self, in_order: InOrder, check: Callable[[], None]) -> None:
        """Make what was copied the target.

        :raises DatastoreException: it is not what was to be copied, or cannot be put there.
        """
        found = self._properties()
        if found is None or found.size != self._info.size:
            self._target.delete_file(self.aside)
            raise DatastoreException(
                f"Azure's copy of {self._source.url(self._info.path)} does not have its "
                f"{self._info.size:,} bytes. Copy it again."
            )
        copied = replace(info_of(found), path=self.aside)
        if not copy_blob(self._target, copied, self._target, self._path, in_order, check):
            raise DatastoreException(
                f"{self._target.url(self._path)} cannot be copied within its account: the credential may "
                f"not sign addresses. Use deferrable=False."
            )
        self.forget()

    def forget(self) -> None:
        """Delete every copy aside of the target, those of earlier versions of the source too."""
        start = self._target.name(_beginning(self._path))
        with suppress(FileNotFoundError), self._target.telling("Listing", self._path):
            for blob in list(list_blobs(self._target, start)):
                self._target.delete_file(blob.path[len(self._target.prefix) :].lstrip("/"))

    def _start(self) -> None:
        from azure.core.exceptions import HttpResponseError

        try:
            start_copy(
                self._source,
                self._info,
                self._target.blob(self.aside),
                sign_for_copy(self._source, self._info),
            )
        except HttpResponseError as error:
            if error.status_code == 412 or error_code(error) == "SourceConditionNotMet":
                raise ChangedMeanwhile(
                    f"{self._source.url(self._info.path)} was written meanwhile."
                ) from None
            if error_code(error) == "PendingCopyOperation":
                return
            if error.status_code == 404 and self._source.stat(self._info.path) is None:
                raise FileNotFoundError(f"There is no file at {self._source.url(self._info.path)}") from None
            raise

    def _properties(self) -> BlobProperties | None:
        return _properties(self._target, self.aside)


def copy_state(store: AzureBlobStore, path: str) -> CopyState:
    """How the copy to a blob stands."""
    found = _properties(store, path)
    if found is None:
        return "none"
    status = found.copy.status
    if status in ("pending", "success"):
        return "pending" if status == "pending" else "success"
    return "failed"


def _properties(store: AzureBlobStore, path: str) -> BlobProperties | None:
    try:
        with store.telling("Looking at", path):
            return store.blob(path).get_blob_properties()
    except FileNotFoundError:
        return None


def _beginning(path: str) -> str:
    """What the names of all copies aside of a target begin with; see ``azure_listing.is_aside``."""
    folder, _, name = path.rpartition("/")
    short = os.fsencode(name)[:120].decode("utf-8", "ignore")
    # The rest of a long name is not lost: two targets must not share a copy.
    tag = "" if short == name else hashlib.sha256(name.encode()).hexdigest()[:12]
    hidden = f".{short}{tag}.{ASIDE_MARK}-"
    return f"{folder}/{hidden}" if folder else hidden

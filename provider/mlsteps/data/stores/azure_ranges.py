"""Reading a part of a blob, as long as it is the version that is meant."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlsteps.data.stores.azure_account import safe_text
from mlsteps.data.stores.base import FileInfo
from mlsteps.exceptions import DatastoreException
from mlsteps.launcher.digest import CHUNK_SIZE, FILE_PREFIX

if TYPE_CHECKING:
    from mlsteps.data.stores.azure_blob import AzureBlobStore


class ChangedMeanwhile(DatastoreException):
    """A blob is no longer the version that was to be read."""


def read_pieces(
    store: AzureBlobStore, info: FileInfo, start: int, length: int, piece: int, compared: bool
) -> Iterator[bytes | memoryview]:
    """Bytes of a blob, in pieces of a length, as they come. Each is true until the next one is asked for.

    :param compared: Whether what comes will be compared with what is known of the blob.
    :raises ChangedMeanwhile, FileNotFoundError: as for `read_range`.
    """
    end = start + length
    if compared and length and store.quick:
        for part in store.quick.pieces(store.name(info.path), info, start, length, piece):
            start += len(part)
            yield part
    while start < end:
        data = memoryview(read_range(store, info, start, min(max(piece, CHUNK_SIZE), end - start)))
        start += len(data)
        for at in range(0, len(data), piece):
            yield data[at : at + piece]


def read_range(store: AzureBlobStore, info: FileInfo, start: int, length: int) -> bytes:
    """Bytes of a blob. A body that breaks off is asked for again, as long as other requests are.

    Where no digest of the blob is known the service tells an MD5 with each part, which is checked.

    :raises ChangedMeanwhile: it is another version than ``info`` tells of.
    :raises FileNotFoundError: it is gone.
    """
    from azure.core import MatchConditions
    from azure.core.exceptions import HttpResponseError, ResourceModifiedError

    if length == 0:
        return b""
    blob = store.blob(info.path)
    options: dict[str, Any] = {"etag": f'"{info.version}"', "match_condition": MatchConditions.IfNotModified}
    options["validate_content"] = not (info.content or "").startswith(FILE_PREFIX)
    limits = store.account.limits
    for attempt in range(limits.attempts + 1):
        with store.telling("Reading", info.path):
            try:
                data: bytes = blob.download_blob(offset=start, length=length, **options).readall()
                if len(data) == length:
                    return data
                problem = f"only {len(data)} of {length} bytes of a range came"
            except ResourceModifiedError:
                raise ChangedMeanwhile(f"{store.url(info.path)} was written meanwhile.") from None
            except HttpResponseError as error:
                # An answer that says no was tried again already; a body that broke off was not.
                if error.status_code is not None and error.status_code >= 300:
                    raise
                problem = safe_text(error)
        if attempt < limits.attempts:
            longest = min(60.0, limits.pause * 2.0**attempt)
            time.sleep(random.uniform(longest / 2, longest))
    raise DatastoreException(f"Reading {store.url(info.path)}: {problem}, though it was tried again.")

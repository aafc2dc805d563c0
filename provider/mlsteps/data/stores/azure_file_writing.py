"""Writing to a share of Azure Files: to another name, since the service writes in place, and then rename."""

from __future__ import annotations

import contextlib
import io
import os
import random
import time
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

from mlsteps.data.stores.azure_account import error_code

if TYPE_CHECKING:
    from azure.storage.fileshare import ShareClient, ShareFileClient

_WRITER = "mlstepswriter"
_AT_ONCE = 4
_TRIES = 8


def place(share: ShareClient, target: ShareFileClient, stream: BinaryIO, *, replace: bool) -> bool:
    """Put what ``stream`` holds at ``target``; its folders are made.

    A rename that may not replace fails where the target exists, so one of any number of callers succeeds.
    Raises the SDK's errors, and leaves nothing behind then.

    :param replace: Whether to replace what is there.
    :return: Whether this call did it.
    """
    for attempt in range(_TRIES):
        done = _try(share, target, stream, replace, last=attempt == _TRIES - 1)
        if done is not None:
            return done
        time.sleep(random.uniform(0.01, 0.02) * 2**attempt)
    raise AssertionError("unreachable")


def _try(
    share: ShareClient, target: ShareFileClient, stream: BinaryIO, replace: bool, *, last: bool
) -> bool | None:
    """Whether it was done, or None if it is worth another try."""
    from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

    temporary = _temporary(share, target)
    writer = uuid4().hex
    try:
        _upload(temporary, stream, writer)
        temporary.rename_file("/".join(target.file_path), overwrite=replace, metadata={_WRITER: writer})
        return True
    except HttpResponseError as error:
        code = error_code(error)
        if code == "ParentNotFound" and not last:
            _make_folders(share, target)
            return None
        _discard(temporary)
        # The answer to an earlier try of the same rename may have been lost.
        if _is_by(target, writer):
            return True
        if code == "ResourceAlreadyExists" and not replace:
            return False
        # Somebody has deleted the folder meanwhile, or has the target open.
        gone = isinstance(error, ResourceNotFoundError) and code != "ShareNotFound"
        if (gone or code == "SharingViolation") and not last:
            return None
        raise
    except BaseException:
        _discard(temporary)
        raise


def _temporary(share: ShareClient, target: ShareFileClient) -> ShareFileClient:
    """A name as ``launcher.atomic`` makes them: where the share is mounted as a folder it is hidden, too."""
    *folder, name = target.file_path
    name = f".{name[:60]}.{os.getpid()}-{os.urandom(6).hex()}.tmp"
    return share.get_file_client("/".join([*folder, name]))


def _upload(file: ShareFileClient, stream: BinaryIO, writer: str) -> None:
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    file.upload_file(stream, length=size, metadata={_WRITER: writer}, max_concurrency=_AT_ONCE)


def _make_folders(share: ShareClient, target: ShareFileClient) -> None:
    from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

    for end in range(1, len(target.file_path)):
        folder = share.get_directory_client("/".join(target.file_path[:end]))
        # Somebody else may make it, or delete the one above it, at the same time.
        with contextlib.suppress(ResourceExistsError, ResourceNotFoundError):
            folder.create_directory()


def _is_by(target: ShareFileClient, writer: str) -> bool:
    from azure.core.exceptions import AzureError

    try:
        metadata = target.get_file_properties().metadata or {}
    except AzureError:
        return False
    return metadata.get(_WRITER) == writer


def _discard(temporary: ShareFileClient) -> None:
    """Delete what was not renamed. Where that fails its name still hides it."""
    with contextlib.suppress(Exception):
        temporary.delete_file()

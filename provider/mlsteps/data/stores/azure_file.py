"""AzureFileStore: a share of Azure Files, or a part of it below a prefix, by its REST interface."""

from __future__ import annotations

import builtins
import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from mlsteps.data.stores.azure_account import error_code, explained, safe_text
from mlsteps.data.stores.azure_file_names import check_name
from mlsteps.data.stores.azure_file_writing import place
from mlsteps.data.stores.base import FileInfo, Store, exact_path
from mlsteps.data.stores.object_reading import RANGE, RangesStream, ReplacedMeanwhile
from mlsteps.exceptions import DatastoreException, UserErrorException
from mlsteps.launcher import atomic

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError
    from azure.storage.fileshare import FileProperties, ShareClient, ShareFileClient

_AT_ONCE = 4
_TRIES = 8


class AzureFileStore(Store):
    """Files of one share by their paths. Case does not tell names apart; some names are refused.

    The service writes into a file in place. So what is written goes to a name of its own beside the target
    and is renamed when it is whole; a rename that may not replace makes one creator. Those names are the ones
    that a folder has on a disk, so that the share may be mounted elsewhere, too.

    :param make: Makes the client of the share, which has to be there. Called once.
    :param label: Where its credentials are from, for people: ``Airflow connection 'files'``.
    :param prefix: The folder of the share that is the store's root.
    """

    def __init__(self, make: Callable[[], ShareClient], label: str, prefix: str = "") -> None:
        self._make = make
        self._label = label
        self._prefix = exact_path(prefix, "prefix")
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"AzureFileStore({self._label!r}, {self._prefix!r})"

    def url(self, path: str) -> str:
        share = self._share
        place = f"{share.scheme}://{share.primary_hostname}/{share.share_name}"
        return "/".join(part for part in (place, self._name(path)) if part)

    def stat(self, path: str) -> FileInfo | None:
        name = self._name(path)
        if not exact_path(path):
            return None
        try:
            with self._telling("Looking at", path):
                found = self._share.get_file_client(name).get_file_properties()
        except FileNotFoundError:
            return None
        return _info(exact_path(path), found)

    def list(self, prefix: str = "") -> Iterator[FileInfo]:
        single = self.stat(prefix)
        if single is not None:
            yield single
        else:
            yield from self._walk(exact_path(prefix))

    def _walk(self, folder: str) -> Iterator[FileInfo]:
        found = [(f"{one.name}/" if one.is_directory else one.name, one) for one in self._entries(folder)]
        below = f"{folder}/" if folder else ""
        for name, one in sorted(found, key=lambda child: child[0]):
            if name.endswith("/"):
                yield from self._walk(f"{below}{name[:-1]}")
            elif not atomic.TEMPORARY.fullmatch(name):
                yield _info(f"{below}{name}", one)

    def list_names(self, folder: str = "") -> builtins.list[str]:
        names = [one.name for one in self._entries(folder)]
        return sorted(name for name in names if not atomic.TEMPORARY.fullmatch(name))

    def _entries(self, folder: str) -> builtins.list[FileProperties]:
        client = self._share.get_directory_client(self._name(folder))
        try:
            with self._telling("Listing", folder):
                found = client.list_directories_and_files(include=["ETag"])
                return [cast("FileProperties", one) for one in found]
        except FileNotFoundError:
            return []

    def open(self, path: str) -> BinaryIO:
        found = self.stat(path)
        if found is None:
            raise FileNotFoundError(f"There is no file at {self.url(path)}")
        if found.size <= RANGE:
            return io.BytesIO(self.read(path))
        file = self._file(path)

        def fetch(ranges: builtins.list[tuple[int, int]]) -> builtins.list[bytes]:
            with self._telling("Reading", path):
                return [file.download_file(start, end - start).readall() for start, end in ranges]

        def verify() -> None:
            if self.stat(path) != found:
                raise ReplacedMeanwhile(
                    f"Reading {self.url(path)}: it was replaced meanwhile. Read it again."
                )

        return cast("BinaryIO", io.BufferedReader(RangesStream(found.size, fetch, verify), 1 << 20))

    def read(self, path: str) -> bytes:
        into = io.BytesIO()
        self._download(path, into)
        return into.getvalue()

    def get_file(self, path: str, target: Path) -> None:
        with atomic.replacing(target) as out:
            self._download(path, cast("BinaryIO", out))

    def _download(self, path: str, into: BinaryIO) -> None:
        from azure.core.exceptions import ResourceModifiedError

        file = self._file(path)
        with self._telling("Reading", path):
            for attempt in range(_TRIES):
                try:
                    file.download_file(max_concurrency=_AT_ONCE).readinto(into)
                    return
                except ResourceModifiedError:  # replaced between two of its ranges
                    if attempt == _TRIES - 1:
                        raise
                into.seek(0)
                into.truncate()

    def write(self, path: str, data: bytes, durable: bool = True) -> None:
        self._place(path, io.BytesIO(data), replace=True)

    def create(self, path: str, data: bytes) -> bool:
        if exact_path(path) and self.stat(path) is not None:
            return False
        return self._place(path, io.BytesIO(data), replace=False)

    def put_file(self, source: Path, path: str) -> None:
        with source.open("rb") as stream:
            self._place(path, stream, replace=True)

    def _place(self, path: str, stream: BinaryIO, *, replace: bool) -> bool:
        target = self._file(path)
        with self._telling("Writing", path, reading=False):
            return place(self._share, target, stream, replace=replace)

    def delete(self, path: str) -> None:
        from azure.core.exceptions import ResourceNotFoundError

        with self._telling("Deleting", path):
            if self.stat(path) is None:
                self._delete_folder(exact_path(path))
            else:
                with contextlib.suppress(ResourceNotFoundError):  # somebody else deletes the same
                    self._file(path).delete_file()

    def _delete_folder(self, path: str) -> None:
        from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

        for attempt in range(_TRIES):
            for one in self._entries(path):
                name = f"{path}/{one.name}" if path else one.name
                if one.is_directory:
                    self._delete_folder(name)
                else:
                    with contextlib.suppress(ResourceNotFoundError):
                        self._file(name).delete_file()
            if not self._name(path):
                return
            try:
                self._share.get_directory_client(self._name(path)).delete_directory()
                return
            except ResourceNotFoundError:
                return
            except HttpResponseError as error:  # somebody has written to it meanwhile
                if error_code(error) != "DirectoryNotEmpty" or attempt == _TRIES - 1:
                    raise

    def signed_url(self, path: str, seconds: float, *, write: bool = False) -> str | None:
        file = self._file(path)
        key = getattr(file.credential, "account_key", None)
        if write or not key:  # one request cannot write a file here
            return None
        from azure.storage.fileshare import FileSasPermissions, generate_file_sas

        signature = generate_file_sas(
            account_name=str(file.account_name),
            share_name=file.share_name,
            file_path=file.file_path,
            account_key=key,
            permission=FileSasPermissions(read=True),
            expiry=datetime.now(timezone.utc) + timedelta(seconds=seconds),
        )
        return f"{file.url.partition('?')[0]}?{signature}"

    def _file(self, path: str) -> ShareFileClient:
        if not exact_path(path):
            raise UserErrorException(f"{self.url('')!r} is the datastore itself, not a file on it.")
        return self._share.get_file_client(self._name(path))

    def _name(self, path: str) -> str:
        name = "/".join(part for part in (self._prefix, exact_path(path)) if part)
        check_name(name)
        return name

    @property
    def _share(self) -> ShareClient:
        with self._lock:
            return self._client

    @cached_property
    def _client(self) -> ShareClient:
        try:
            client = self._make()
        except Exception as error:
            raise DatastoreException(f"{self._label} opens no share: {safe_text(error)}") from None
        # Without these the service takes "a." for "a".
        client.allow_trailing_dot = client.allow_source_trailing_dot = True
        return client

    @contextmanager
    def _telling(self, doing: str, path: str, *, reading: bool = True) -> Iterator[None]:
        """Errors of the service as ours: a missing file as FileNotFoundError, others with advice."""
        from azure.core.exceptions import AzureError

        try:
            yield
        except AzureError as error:
            if reading and _is_missing(error):
                raise FileNotFoundError(f"There is no file at {self.url(path)}") from None
            raise explained(error, doing, self.url(path), self._label) from None


def _is_missing(error: AzureError) -> bool:
    """Whether there is no such file, or a folder of that name."""
    from azure.core.exceptions import ResourceNotFoundError

    code = error_code(error)
    return code == "ResourceTypeMismatch" or (
        isinstance(error, ResourceNotFoundError) and code != "ShareNotFound"
    )


def _info(path: str, found: FileProperties) -> FileInfo:
    etag = found.etag.strip('"')
    return FileInfo(path, found.size, f"etag:{etag}", etag)

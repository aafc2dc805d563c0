"""AzureBlobStore: a container of an Azure storage account, or a part of it below a prefix."""

from __future__ import annotations

import builtins
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast
from uuid import uuid4

from mlsteps.data.stores.azure_account import AzureAccount, error_code, explained
from mlsteps.data.stores.azure_blocks import THREADS, download_file, upload_bytes, upload_file
from mlsteps.data.stores.azure_listing import is_aside, list_blobs
from mlsteps.data.stores.azure_properties import info_of, is_folder, marked
from mlsteps.data.stores.azure_quick import QuickRequests
from mlsteps.data.stores.azure_signing import Signer
from mlsteps.data.stores.base import FileInfo, Store, exact_path
from mlsteps.exceptions import UserErrorException
from mlsteps.launcher.parallel import in_order
from mlsteps.launcher.remote import DIGEST_KEY

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, ContainerClient

_WRITER_KEY = "mlstepswriter"

T = TypeVar("T")


class AzureBlobStore(Store):
    """Blobs of one container by their names; a slash in a name makes a folder.

    Accounts with a hierarchical namespace (ADLS Gen2) work through their blob endpoint: the blobs that stand
    for folders there are not files here.

    :param account: Where the container is, and how it is opened.
    :param prefix: The folder of the container that is the store's root.
    :param create_if_not_exists: Make the container when something is first written to it.
    """

    def __init__(
        self, account: AzureAccount, container: str, prefix: str = "", *, create_if_not_exists: bool = False
    ) -> None:
        self.account = account
        self.container = container
        self.prefix = exact_path(prefix, "prefix")
        self.signer = Signer(account)
        # Until the service says that it cannot: copy a large blob by one request, and by blocks.
        self.copies_large = self.copies_blocks = True
        self._create = create_if_not_exists

    def __repr__(self) -> str:
        return f"AzureBlobStore({self.container!r}, {self.prefix!r})"

    def url(self, path: str) -> str:
        parts = (self.endpoint, self.container, self.prefix, exact_path(path))
        return "/".join(part for part in parts if part)

    def stat(self, path: str) -> FileInfo | None:
        if not exact_path(path):
            return None
        try:
            with self.telling("Looking at", path):
                found = self.blob(path).get_blob_properties()
        except FileNotFoundError:
            return None
        return None if is_folder(found) else self._here(info_of(found))

    def list(self, prefix: str = "") -> Iterator[FileInfo]:
        start = self.name(prefix)
        if exact_path(prefix) and (single := self.stat(prefix)) is not None:
            yield single
        try:
            with self.telling("Listing", prefix):
                for found in list_blobs(self, f"{start}/" if start else ""):
                    if not is_aside(found.path):
                        yield self._here(found)
        except FileNotFoundError:
            return

    def list_names(self, folder: str = "") -> builtins.list[str]:
        start = self.name(folder)
        below = f"{start}/" if start else ""
        names = set()
        try:
            with self.telling("Listing", folder):
                for found in self.container_client.walk_blobs(name_starts_with=below or None, delimiter="/"):
                    names.add(found.name[len(below) :].rstrip("/"))
        except FileNotFoundError:
            return []
        return sorted(name for name in names if name and not is_aside(name))

    def open(self, path: str) -> BinaryIO:
        with self.telling("Reading", path):
            downloader = self.blob(path).download_blob()
        if is_folder(downloader.properties):
            raise FileNotFoundError(f"There is a folder and no file at {self.url(path)}")
        stream = _BlobStream(downloader.chunks(), lambda: self.telling("Reading", path))
        return cast("BinaryIO", io.BufferedReader(stream, 1 << 20))

    def read(self, path: str) -> bytes:
        with self.telling("Reading", path):
            return bytes(self.blob(path).download_blob().readall())

    def write(self, path: str, data: bytes, durable: bool = True) -> None:
        self.writing(path, lambda: upload_bytes(self.blob(path), data, marked))

    def create(self, path: str, data: bytes) -> bool:
        from azure.core.exceptions import ResourceExistsError

        writer = uuid4().hex

        def create() -> bool:
            blob = self.blob(path)
            try:
                upload_bytes(
                    blob, data, lambda digest: {**marked(digest), _WRITER_KEY: writer}, overwrite=False
                )
            except ResourceExistsError:
                # The answer to an earlier try of this very request may have been lost.
                return (blob.get_blob_properties().metadata or {}).get(_WRITER_KEY) == writer
            return True

        return self.writing(path, create)

    def put_file(self, source: Path, path: str) -> None:
        self.writing(path, lambda: upload_file(self.blob(path), source, marked))

    def get_file(self, path: str, target: Path) -> None:
        with self.telling("Reading", path):
            download_file(self.blob(path), target, DIGEST_KEY)

    def delete(self, path: str) -> None:
        for name in [info.path for info in self.list(path)]:
            self.delete_file(name)

    def delete_file(self, path: str) -> None:
        """Delete the blob of this name, and none below it. Nothing there is no error."""
        from azure.core.exceptions import ResourceNotFoundError

        with self.telling("Deleting", path), suppress(ResourceNotFoundError):
            self.blob(path).delete_blob(delete_snapshots="include")

    def copy_here(self, source: Store, source_path: str, path: str) -> bool:
        from mlsteps.data.stores.azure_copy import copy_blob

        self.blob(path)
        if not isinstance(source, AzureBlobStore):
            return False
        info = source.stat(source_path)
        if info is None:
            raise FileNotFoundError(f"There is no file at {source.url(source_path)}")
        with ThreadPoolExecutor(THREADS, thread_name_prefix="copies") as pool:
            return copy_blob(
                source, info, self, path, lambda work, items: in_order(work, items, pool, THREADS)
            )

    def signed_url(self, path: str, seconds: float, *, write: bool = False) -> str | None:
        blob = self.blob(path)
        if not self.signer.can_sign:
            return None
        with self.telling("Signing a URL of", path):
            return f"{blob.url.partition('?')[0]}?{self.signer.blob(blob, seconds, write=write)}"

    def blob(self, path: str) -> BlobClient:
        """The SDK's client for one blob."""
        name = self.name(path)
        if not exact_path(path):
            raise UserErrorException(f"{self.url('')} is the datastore itself, not a file on it.")
        if "\\" in name:
            raise UserErrorException(
                f"A blob cannot be called {name!r}: Azure takes a backslash for a slash. Rename the file."
            )
        return self.container_client.get_blob_client(name)

    def writing(self, path: str, write: Callable[[], T]) -> T:
        """Write; where the container is missing and may be made, make it and write again."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        with self.telling("Writing", path):
            try:
                return write()
            except ResourceNotFoundError as error:
                if error_code(error) != "ContainerNotFound" or not self._create:
                    raise
            with suppress(ResourceExistsError):
                self.container_client.create_container()
            return write()

    def name(self, path: str) -> str:
        """The blob's name in the container."""
        return "/".join(part for part in (self.prefix, exact_path(path)) if part)

    def _here(self, found: FileInfo) -> FileInfo:
        return replace(found, path=found.path[len(self.prefix) + 1 :]) if self.prefix else found

    @cached_property
    def quick(self) -> QuickRequests | None:
        """What makes simple requests with less ado; None where that cannot be."""
        url = f"{self.endpoint}/{self.container}"
        made = QuickRequests(url, self.container, self.signer, self.account.limits)
        return made if made.works else None

    @cached_property
    def container_client(self) -> ContainerClient:
        """The SDK's client for the container."""
        return self.account.client.get_container_client(self.container)

    @cached_property
    def endpoint(self) -> str:
        """Where the account's containers are."""
        client = self.account.client
        return f"{client.scheme}://{client.primary_hostname}"

    @contextmanager
    def telling(self, doing: str, path: str) -> Iterator[None]:
        """The service's errors as ours: a missing file as FileNotFoundError, others with place and advice."""
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        try:
            yield
        except ResourceNotFoundError as error:
            if error_code(error) == "ContainerNotFound" and not self._create:
                raise explained(error, doing, self.url(path), self.account.label) from None
            raise FileNotFoundError(f"There is no file at {self.url(path)}") from None
        except AzureError as error:
            raise explained(error, doing, self.url(path), self.account.label) from None


class _BlobStream(io.RawIOBase):
    """A blob's bytes as they come, for an :class:`io.BufferedReader`."""

    def __init__(self, chunks: Iterator[bytes], telling: Callable[[], AbstractContextManager[None]]) -> None:
        self._chunks = chunks
        self._telling = telling
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            with self._telling():
                chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

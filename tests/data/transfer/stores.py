"""What tests of transfers need of stores."""

from __future__ import annotations

import base64
import builtins
import random
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from mlsteps.cli.azurite import Azurite
from mlsteps.data.stores import FileInfo, FolderStore, Store
from mlsteps.data.stores.azure_account import AzureAccount, RetryLimits
from mlsteps.data.stores.azure_blob import AzureBlobStore
from servers.azurite import QUICK


class PlainStore(Store):
    """A store that can do no more than every store can: no local paths, no ranges, no known contents."""

    def __init__(self, folder: FolderStore) -> None:
        self.folder = folder

    def stat(self, path: str) -> FileInfo | None:
        return self.folder.stat(path)

    def list(self, prefix: str = "") -> Iterator[FileInfo]:
        return self.folder.list(prefix)

    def list_names(self, folder: str = "") -> builtins.list[str]:
        return self.folder.list_names(folder)

    def open(self, path: str) -> BinaryIO:
        return self.folder.open(path)

    def write(self, path: str, data: bytes, durable: bool = True) -> None:
        self.folder.write(path, data, durable)

    def create(self, path: str, data: bytes) -> bool:
        return self.folder.create(path, data)

    def put_file(self, source: Path, path: str) -> None:
        self.folder.put_file(source, path)

    def delete(self, path: str) -> None:
        self.folder.delete(path)

    def url(self, path: str) -> str:
        return f"plain:/{self.folder.url(path)}"


def content(size: int, seed: bytes = b"") -> bytes:
    """Bytes that do not repeat."""
    return random.Random(seed).randbytes(size)


def fill(store: Store, files: dict[str, bytes], below: str) -> None:
    """Write files below a path."""
    for path, data in files.items():
        store.write(f"{below}/{path}", data)


def tree(store: Store, path: str = "") -> dict[str, bytes]:
    """Every file below a path with its content."""
    below = f"{path}/" if path else ""
    return {info.path[len(below) :]: store.read(info.path) for info in store.list(path)}


class TwoAccounts(Azurite):
    """An Azurite with a second account."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._other_key = base64.b64encode(secrets.token_bytes(64)).decode()

    def __enter__(self) -> TwoAccounts:
        key = self._key
        self._key = f"{key};other:{self._other_key}"  # as it reads its accounts
        try:
            super().__enter__()
        finally:
            self._key = key
        return self

    @property
    def other(self) -> str:
        """The connection string of the second account."""
        first = self.connection_string
        return first.replace("mlsteps", "other").replace(self._key, self._other_key)


def blobs_of(text: str, limits: RetryLimits = QUICK) -> AzureBlobStore:
    """A store on a container of its own, opened by a connection string."""
    from azure.storage.blob import BlobServiceClient

    account = AzureAccount(
        lambda options: BlobServiceClient.from_connection_string(text, **options),
        "the test's account",
        limits,
    )
    return AzureBlobStore(account, f"test-{uuid4().hex[:20]}", "root", create_if_not_exists=True)

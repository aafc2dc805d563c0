"""Azurite for tests: one for each test process, started when first asked for."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from mlsteps.cli.azurite import Azurite
from mlsteps.data.stores.azure_account import AzureAccount, RetryLimits
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.exceptions import MlstepsException

# Tests of what happens when nobody answers should not take minutes.
QUICK = RetryLimits(attempts=4, pause=0.05, connect=5, read=20)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """A running Azurite."""
    if shutil.which("npm") is None and os.getuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-qq", "nodejs", "npm"], check=False, timeout=300)
    try:
        with Azurite(tmp_path_factory.mktemp("azurite")) as running:
            yield running
    except MlstepsException as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def account_of(azurite: Azurite, limits: RetryLimits = QUICK) -> AzureAccount:
    """Its account."""
    from azure.storage.blob import BlobServiceClient

    text = azurite.connection_string
    return AzureAccount(
        lambda options: BlobServiceClient.from_connection_string(text, **options),
        "the test's account",
        limits,
    )


def free_container() -> str:
    """The name of a container that no other test has; tests may have the same temporary folder."""
    return f"test-{uuid4().hex[:20]}"


def blob_store(azurite: Azurite, prefix: str = "", container: str | None = None) -> AzureBlobStore:
    """A store on a container of its own."""
    name = container or free_container()
    return AzureBlobStore(account_of(azurite), name, prefix, create_if_not_exists=True)


def put_named(store: AzureBlobStore, name: str, data: bytes, query: str = "") -> int:
    """Write a blob of any name, by a signature of its container, as no client of Azure's would."""
    place = urlsplit(store.url(""))
    connection = http.client.HTTPConnection(place.netloc)
    query = query or store.signer.job(store.container, 600)
    connection.putrequest("PUT", f"{place.path}/{name.replace('/', '%2F')}?{query}")
    headers = {"x-ms-blob-type": "BlockBlob", "x-ms-version": "2021-08-06", "Content-Length": str(len(data))}
    for header, value in headers.items():
        connection.putheader(header, value)
    connection.endheaders(data)
    status = connection.getresponse().status
    connection.close()
    return status

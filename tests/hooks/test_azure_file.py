"""File shares of Azure from connections: which client is made. The store itself has tests of its own."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlsteps import Datastore, Workspace
from mlsteps.data.stores.azure_file import AzureFileStore
from mlsteps.exceptions import DatastoreException, WorkspaceException
from mlsteps.hooks.azure_file import open_azure_file

Connect = Callable[..., None]
KEY = base64.b64encode(b"a key of an account").decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"login": "account", "password": KEY},
        {"host": "https://account.blob.core.windows.net", "password": KEY},
        {"host": "account", "extra": {"sas_token": "?sv=1&sig=hush"}},
        {
            "extra": {
                "connection_string": "DefaultEndpointsProtocol=https;AccountName=account;"
                f"AccountKey={KEY};EndpointSuffix=core.windows.net"
            }
        },
        {"login": "app", "password": "secret", "host": "account", "extra": {"tenant_id": "tenant"}},
    ],
    ids=["key", "url", "token", "connection string", "principal"],
)
def test_a_share_is_where_the_account_has_its_files(connect: Connect, fields: dict[str, Any]) -> None:
    if "tenant_id" in fields.get("extra", {}):
        pytest.importorskip("azure.identity")
    connect("files", **fields)
    store = open_azure_file("files", "share", "a/b")
    assert isinstance(store, AzureFileStore)
    assert store.url("c") == "https://account.file.core.windows.net/share/a/b/c"


def test_a_share_is_registered_in_code(connect: Connect, tmp_path: Path) -> None:
    connect("files", login="account", password=KEY)
    workspace = Workspace(folder=tmp_path)
    made = Datastore.register_azure_file_share(workspace, "files", "share", "account")
    assert made.store.url("").startswith("https://account.file.core.windows.net/share")
    other = Datastore.register_azure_file_share(workspace, "others", "share", "other", conn_id="files")
    with pytest.raises(DatastoreException, match="opens storage account 'account'.*'other'"):
        other.store.url("")
    with pytest.raises(WorkspaceException, match="no connection 'nowhere'"):
        open_azure_file("nowhere", "share", "")

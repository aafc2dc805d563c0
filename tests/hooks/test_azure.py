"""Storage accounts of Azure from Airflow connections, in every way that a wasb connection may be written."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from mlsteps.cli.azurite import Azurite
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.exceptions import DatastoreException, WorkspaceException
from mlsteps.hooks.azure import account_url, azure_account
from servers.azurite import azurite

__all__ = ["azurite"]

Connect = Callable[..., None]
KEY = base64.b64encode(b"a key of an account").decode()


def connection_string(azurite: Azurite) -> dict[str, str]:
    """Its parts by name."""
    parts = (part.partition("=") for part in azurite.connection_string.strip(";").split(";"))
    return {name: value for name, _, value in parts}


def use(conn_id: str) -> bytes:
    store = AzureBlobStore(azure_account(conn_id), "of-a-connection", create_if_not_exists=True)
    store.write("a", b"through a connection")
    return store.read("a")


@pytest.mark.parametrize(
    "written",
    [
        lambda parts, text: {"extra": {"connection_string": text}},
        lambda parts, text: {"extra": {"extra__wasb__connection_string": text}},
        lambda parts, text: {
            "host": parts["BlobEndpoint"],
            "login": "mlsteps",
            "password": parts["AccountKey"],
        },
        lambda parts, text: {
            "host": parts["BlobEndpoint"],
            "extra": {"shared_access_key": parts["AccountKey"]},
        },
        lambda parts, text: {"host": parts["BlobEndpoint"], "extra": {"account_key": parts["AccountKey"]}},
        lambda parts, text: {
            "conn_type": "azure_blob_storage",
            "host": parts["BlobEndpoint"],
            "password": parts["AccountKey"],
        },
    ],
    ids=["connection string", "old field", "password", "shared key", "account key", "old type"],
)
def test_a_connection_with_a_key_opens_its_account(
    connect: Connect, azurite: Azurite, written: Callable[..., dict[str, Any]]
) -> None:
    connect("blobs", **written(connection_string(azurite), azurite.connection_string))
    assert use("blobs") == b"through a connection"


@pytest.mark.parametrize("whole", [True, False], ids=["url", "token"])
def test_a_connection_with_a_token_opens_its_account(connect: Connect, azurite: Azurite, whole: bool) -> None:
    from datetime import datetime, timedelta, timezone

    from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

    token = generate_account_sas(
        "mlsteps",
        connection_string(azurite)["AccountKey"],
        ResourceTypes(service=True, container=True, object=True),
        AccountSasPermissions(read=True, write=True, list=True, create=True, delete=True),
        datetime.now(timezone.utc) + timedelta(hours=1),
    )
    if whole:
        pytest.skip("a whole URL counts only with https, which the emulator does not speak here")
    connect("blobs", host=azurite.url, extra={"sas_token": token})
    assert use("blobs") == b"through a connection"


def test_without_a_secret_the_identity_of_the_machine_counts(connect: Connect) -> None:
    pytest.importorskip("azure.identity")
    connect(
        "identity", host="https://account.blob.core.windows.net", extra={"managed_identity_client_id": "x"}
    )
    credential = azure_account("identity").client.credential
    assert type(credential).__name__ == "DefaultAzureCredential"
    connect("principal", login="app", password="secret", host="account", extra={"tenant_id": "tenant"})
    principal = azure_account("principal").client
    assert type(principal.credential).__name__ == "ClientSecretCredential"
    assert principal.url == "https://account.blob.core.windows.net/"


def test_public_read_needs_no_secret(connect: Connect) -> None:
    connect("public", login="account", password=KEY)
    assert azure_account("public", public_read=True).client.credential is None


def test_what_is_found_first_opens_the_account(connect: Connect) -> None:
    """In the order of Airflow's WasbHook: each of them is found only once those before it are gone."""
    pytest.importorskip("azure.identity")
    # As the hook of Airflow reads it, public read is an argument of its own.
    secrets = {
        "connection_string": f"DefaultEndpointsProtocol=https;AccountName=told;AccountKey={KEY}",
        "tenant_id": "tenant",
        "public_read": True,
        "shared_access_key": KEY,
        "sas_token": "sv=2024&sig=x",
        "password": KEY,
    }
    found = []
    while True:
        rest = dict(secrets)
        public, password = rest.pop("public_read", False), rest.pop("password", None)
        connect("blobs", login="account", password=password, extra=rest)
        client = azure_account("blobs", public_read=bool(public)).client
        found.append((client.account_name, type(client.credential).__name__, "sig=" in client._query_str))
        if not secrets:
            break
        secrets.pop(next(iter(secrets)))
    assert found == [
        ("told", "SharedKeyCredentialPolicy", False),
        ("account", "ClientSecretCredential", False),
        ("account", "NoneType", False),
        ("account", "SharedKeyCredentialPolicy", False),
        ("account", "NoneType", True),
        ("account", "SharedKeyCredentialPolicy", False),
        ("account", "DefaultAzureCredential", False),
    ]


def test_one_account_object_serves_all_who_use_a_connection(connect: Connect) -> None:
    connect("blobs", login="account", password=KEY)
    first = azure_account("blobs")
    assert azure_account("blobs") is first
    connect("blobs", login="account", password=base64.b64encode(b"another").decode())
    assert azure_account("blobs") is not first


@pytest.mark.parametrize(
    ("host", "login", "expected"),
    [
        (None, "account", "https://account.blob.core.windows.net/"),
        ("account", None, "https://account.blob.core.windows.net/"),
        ("account.blob.core.windows.net", "x", "https://account.blob.core.windows.net/"),
        ("https://account.blob.core.chinacloudapi.cn", None, "https://account.blob.core.chinacloudapi.cn/"),
        ("http://127.0.0.1:10000/account", None, "http://127.0.0.1:10000/account"),
    ],
)
def test_where_an_account_answers(host: str | None, login: str | None, expected: str) -> None:
    assert account_url(host, login) == expected


def test_what_opens_no_account_is_told_without_its_secrets(connect: Connect) -> None:
    with pytest.raises(WorkspaceException, match=r"no connection 'nowhere'.*airflow connections add nowhere"):
        azure_account("nowhere")
    connect("other", conn_type="aws", password="hush")
    with pytest.raises(WorkspaceException, match="is of type 'aws'"):
        azure_account("other")
    connect("empty", password="hush")
    with pytest.raises(DatastoreException, match="neither a host") as told:
        azure_account("empty").client  # noqa: B018
    assert "hush" not in str(told.value)
    connect("malformed", extra={"connection_string": "AccountKey=hush;nonsense"})
    with pytest.raises(DatastoreException) as told:
        azure_account("malformed").client  # noqa: B018
    assert "hush" not in str(told.value)


def test_requests_are_not_told_one_by_one(
    connect: Connect, azurite: Azurite, caplog: pytest.LogCaptureFixture
) -> None:
    connect("blobs", extra={"connection_string": azurite.connection_string})
    with caplog.at_level("INFO"):
        use("blobs")
    assert "Request" not in caplog.text

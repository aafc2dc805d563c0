"""Azure storage accounts from Airflow connections of type ``wasb``, read as Airflow's own provider does."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from airflow.sdk import BaseHook

from mlsteps.compat import AirflowNotFoundException
from mlsteps.data.stores.azure_account import AzureAccount
from mlsteps.exceptions import DatastoreException, WorkspaceException

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from azure.storage.blob import BlobServiceClient

# Of the extra, what is about credentials; all else are options for the SDK's client.
_OURS = (
    "connection_string",
    "tenant_id",
    "shared_access_key",
    "sas_token",
    "account_key",
    "managed_identity_client_id",
    "workload_identity_tenant_id",
    "client_secret_auth_config",
)
# What a connection of type mlsteps_datastore has besides.
_OF_A_DATASTORE = (
    "type",
    "container",
    "share",
    "prefix",
    "path",
    "url",
    "conn_id",
    "create_if_not_exists",
    "public_read",
)
# Few: those that this process has used. A connection that was changed is another one.
_ACCOUNTS: dict[tuple[object, ...], AzureAccount] = {}
_CONN_TYPES = ("wasb", "azure_blob_storage", "mlsteps_datastore")


def azure_account(conn_id: str, public_read: bool = False) -> AzureAccount:
    """The storage account of a connection; one object, and so one set of open requests, for each of them.

    Opened with what is found first: a connection string, a service principal (``tenant_id`` and login and
    password), public read, ``shared_access_key``, ``sas_token``, the password or ``account_key`` as account
    key, and else what the machine itself has (managed or workload identity, environment, Azure's command
    line). The same order as the ``WasbHook`` of Airflow's microsoft-azure provider, which need not be there.

    :raises WorkspaceException: there is no such connection, or it is of another type.
    """
    connection = connection_of(conn_id)
    check_conn_type(conn_id, connection)
    facts = (connection.host, connection.login, connection.password, connection.extra)
    # Of this process: connections that are open must not be shared with a parent.
    key = (conn_id, public_read, facts, os.getpid())
    if key not in _ACCOUNTS:
        _ACCOUNTS[key] = AzureAccount(
            lambda options: _client(connection, public_read, options), f"Airflow connection {conn_id!r}"
        )
    return _ACCOUNTS[key]


def _client(connection: Connection, public_read: bool, options: Mapping[str, Any]) -> BlobServiceClient:
    from azure.storage.blob import BlobServiceClient

    extra = dict(connection.extra_dejson)
    options = {**_client_options(extra), **options}
    if text := field(extra, "connection_string"):
        return BlobServiceClient.from_connection_string(text, **options)
    url = account_url(connection.host, connection.login)
    principal = field(extra, "tenant_id")
    if public_read and not principal:
        return BlobServiceClient(url, **options)
    sas = field(extra, "sas_token")
    if sas and not principal and not field(extra, "shared_access_key"):
        if sas.startswith("https"):
            return BlobServiceClient(sas, **options)
        return BlobServiceClient(f"{url.rstrip('/')}/?{sas.lstrip('?')}", **options)
    return BlobServiceClient(url, credential=credential_of(connection, extra), **options)


def check_conn_type(conn_id: str, connection: Connection) -> None:
    """Refuse a connection that cannot open a storage account.

    :raises WorkspaceException: it is of another type.
    """
    if connection.conn_type not in _CONN_TYPES:
        raise WorkspaceException(
            f"Airflow connection {conn_id!r} is of type {connection.conn_type!r}; a storage account of Azure "
            f"is opened by one of type wasb."
        )


def connection_of(conn_id: str) -> Connection:
    """Airflow's connection of this id.

    :raises WorkspaceException: there is none; the text says how to add one.
    """
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise WorkspaceException(
            f"Airflow has no connection {conn_id!r}. Add it in the UI under Admin, Connections, with "
            f"'airflow connections add {conn_id}', or as AIRFLOW_CONN_{conn_id.upper()}."
        ) from None


def account_url(host: str | None, login: str | None) -> str:
    """Where an account answers: the connection's host as URL or bare name, else the login as account name.

    :raises DatastoreException: neither is given.
    """
    if not host:
        if not login:
            raise DatastoreException("it has neither a host, the account's URL, nor a login, its name")
        return f"https://{login}.blob.core.windows.net/"
    parts = urlsplit(host if "//" in host else f"//{host}")
    name = parts.netloc
    if "." not in parts.netloc and ":" not in parts.netloc:
        name = f"{parts.netloc or login}.blob.core.windows.net"
    return urlunsplit((parts.scheme or "https", name, parts.path or "/", "", ""))


def credential_of(connection: Connection, extra: Mapping[str, Any]) -> Any:
    """What a connection opens its account with: a key, or an object that gives tokens.

    :raises DatastoreException: the package for tokens is not installed.
    """
    tenant = field(extra, "tenant_id")
    if tenant:
        secret_options = extra.get("client_secret_auth_config") or {}
        make = _identity("ClientSecretCredential")
        return make(
            tenant_id=tenant,
            client_id=connection.login,
            client_secret=connection.password,
            **secret_options,
        )
    key = field(extra, "shared_access_key") or connection.password or field(extra, "account_key")
    if key:
        return key
    options = {
        "managed_identity_client_id": field(extra, "managed_identity_client_id"),
        "workload_identity_tenant_id": field(extra, "workload_identity_tenant_id"),
    }
    given: dict[str, Any] = {name: value for name, value in options.items() if value}
    if "workload_identity_tenant_id" in given:
        given["additionally_allowed_tenants"] = [given["workload_identity_tenant_id"]]
    return _identity("DefaultAzureCredential")(**given)


def _identity(name: str) -> Callable[..., Any]:
    try:
        import azure.identity
    except ImportError:
        raise DatastoreException(
            "it needs the package azure-identity: pip install 'airflow-provider-mlsteps[azure]'"
        ) from None
    make: Callable[..., Any] = getattr(azure.identity, name)
    return make


def field(extra: Mapping[str, Any], name: str) -> str | None:
    """A field of the extra, which older Airflows wrote with a prefix."""
    return extra.get(name) or extra.get(f"extra__wasb__{name}") or None


def _client_options(extra: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in extra.items()
        if name not in _OURS and not name.startswith("extra__") and name not in _OF_A_DATASTORE
    }

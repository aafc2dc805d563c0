"""File shares of Azure from Airflow connections of type ``wasb``: the account's other door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from mlsteps.exceptions import DatastoreException
from mlsteps.hooks.azure import account_url, check_conn_type, connection_of, credential_of, field

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from azure.storage.fileshare import ShareClient

    from mlsteps.data.stores import Store


def open_azure_file(conn_id: str, share: str, prefix: str, account_name: str = "") -> Store:
    """The store on a share of the account that a connection opens.

    :param account_name: The account that it has to be; empty is any.
    :raises WorkspaceException: there is no such connection, or it is of another type.
    :raises DatastoreException: the package for file shares is not installed.
    """
    connection = connection_of(conn_id)
    check_conn_type(conn_id, connection)
    try:
        from mlsteps.data.stores.azure_file import AzureFileStore
    except ImportError:
        raise DatastoreException(
            "File shares of Azure need a package: pip install 'airflow-provider-mlsteps[azure-files]'"
        ) from None
    return AzureFileStore(
        lambda: _client(connection, share, account_name), f"Airflow connection {conn_id!r}", prefix
    )


def _client(connection: Connection, share: str, account_name: str) -> ShareClient:
    client = _any_client(connection, share)
    if account_name and client.account_name != account_name:
        raise DatastoreException(
            f"the connection opens storage account {client.account_name!r}, and the datastore is on "
            f"{account_name!r}"
        )
    return client


def _any_client(connection: Connection, share: str) -> ShareClient:
    from azure.storage.fileshare import ShareClient

    extra = dict(connection.extra_dejson)
    if text := field(extra, "connection_string"):
        return ShareClient.from_connection_string(text, share)
    url = _file_url(account_url(connection.host, connection.login))
    sas = field(extra, "sas_token")
    if sas and not field(extra, "tenant_id") and not field(extra, "shared_access_key"):
        return ShareClient(url, share, credential=sas.partition("?")[2] or sas.lstrip("?"))
    credential: Any = credential_of(connection, extra)
    # With a token instead of a key, the service wants to know that file permissions are to be passed over.
    options: dict[str, Any] = {} if isinstance(credential, str) else {"token_intent": "backup"}
    return ShareClient(url, share, credential=credential, **options)


def _file_url(url: str) -> str:
    """Where the files of an account are, from where its blobs are."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(".blob.", ".file.", 1)))

"""The Airflow connection to an MLflow server."""

from __future__ import annotations

from mlsteps.hooks.addresses import address_of
from mlsteps.hooks.azure import connection_of
from mlsteps.tracking.server import Credentials


def mlflow_connection(conn_id: str) -> tuple[str | None, Credentials]:
    """The address that a connection of type ``http`` names, if any, and who asks.

    Login and password are a user's; the password alone is a token.

    :raises WorkspaceException: there is no such connection.
    """
    connection = connection_of(conn_id)
    password = connection.password or ""
    if connection.login:
        return address_of(connection), Credentials(username=connection.login, password=password)
    return address_of(connection), Credentials(token=password)

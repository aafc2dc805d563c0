"""The address that a connection of type ``http`` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import Connection


def address_of(connection: Connection) -> str | None:
    """Scheme, host and port, as Airflow's own HTTP hook reads them; None where there is no host.

    A connection that is given as ``https://...`` is of a type of that name, and means it.
    """
    if not connection.host:
        return None
    scheme = connection.schema or ("https" if connection.conn_type == "https" else "http")
    host = connection.host if "://" in connection.host else f"{scheme}://{connection.host}"
    return f"{host}:{connection.port}" if connection.port else host

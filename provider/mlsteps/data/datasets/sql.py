"""Rows of a database as a dataset: the query goes through the workspace's SQL datastore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, cast

from mlsteps.data.datasets.definition import QuerySource
from mlsteps.data.datastore import DatastoreOwner
from mlsteps.exceptions import UserErrorException


class SqlDatabase(Protocol):
    """What a dataset needs of a database."""

    def read_pandas(self, query: str, parameters: Mapping[str, Any] | None, timeout: float | None) -> Any:
        """The rows that a query gives, as a pandas frame; ``timeout`` in seconds."""


class _SqlWorkspace(Protocol):
    def open_sql(self, name: str) -> SqlDatabase:
        """The database behind a datastore's name."""


def read_query(source: QuerySource, workspace: DatastoreOwner | None) -> Any:
    """The rows of a query, as a pandas frame.

    :raises UserErrorException: the dataset was made without a workspace.
    """
    if workspace is None:
        raise UserErrorException("from_sql_query: the dataset was made without a workspace.")
    name = source.datastore or workspace.default_datastore_name()
    database = cast("_SqlWorkspace", workspace).open_sql(name)
    return database.read_pandas(source.query, None, source.timeout)

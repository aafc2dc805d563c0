"""Tables and queries of SQL databases: what a step may declare, and moving their rows from and to files.

The names are imported on first use: a DAG file that declares a reference loads no pyarrow and no SQLAlchemy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# name -> module that defines it
_PUBLIC = {
    "Procedure": "mlsteps.data.sql.statement",
    "Query": "mlsteps.data.sql.statement",
    "SqlDataReference": "mlsteps.data.sql.reference",
    "SqlStore": "mlsteps.data.sql.store",
    "StoredProcedureParameter": "mlsteps.data.sql.parameter",
    "StoredProcedureParameterType": "mlsteps.data.sql.parameter",
    "TableColumn": "mlsteps.data.sql.table_columns",
    "TableName": "mlsteps.data.sql.table_name",
    "TableWritten": "mlsteps.data.sql.loading",
    "WrittenFile": "mlsteps.data.sql.to_file",
    "files_to_table": "mlsteps.data.sql.to_table",
    "query_to_file": "mlsteps.data.sql.to_file",
}

__all__ = [  # literal, because type checkers read it
    "Procedure",
    "Query",
    "SqlDataReference",
    "SqlStore",
    "StoredProcedureParameter",
    "StoredProcedureParameterType",
    "TableColumn",
    "TableName",
    "TableWritten",
    "WrittenFile",
    "files_to_table",
    "query_to_file",
]

if TYPE_CHECKING:
    from mlsteps.data.sql.loading import TableWritten
    from mlsteps.data.sql.parameter import StoredProcedureParameter, StoredProcedureParameterType
    from mlsteps.data.sql.reference import SqlDataReference
    from mlsteps.data.sql.statement import Procedure, Query
    from mlsteps.data.sql.store import SqlStore
    from mlsteps.data.sql.table_columns import TableColumn
    from mlsteps.data.sql.table_name import TableName
    from mlsteps.data.sql.to_file import WrittenFile, query_to_file
    from mlsteps.data.sql.to_table import files_to_table


def __getattr__(name: str) -> Any:
    module = _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"module 'mlsteps.data.sql' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(module), name)
    globals()[name] = value
    return value

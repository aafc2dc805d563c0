"""Puts record batches into a table, as values that each database's drivers take."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from mlsteps.data.sql.databases import family
from mlsteps.data.sql.statement import quoted_table
from mlsteps.data.sql.table_columns import TableColumn
from mlsteps.data.sql.table_name import TableName
from mlsteps.exceptions import DatastoreException

Progress = Callable[[int, int], None]
"""Called now and then with the rows and bytes so far."""

_ROWS_AT_ONCE = 2000
_SQLITE_DIGITS = 15


def insert_batches(
    connection: Connection,
    table: TableName,
    columns: Sequence[TableColumn],
    batches: Iterable[pa.RecordBatch],
    progress: Progress | None = None,
) -> int:
    """Insert all rows of ``batches``, whose columns are ``columns``; returns how many these were."""
    statement = _statement(table, columns)
    rows = size = 0
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
            part = batch.slice(start, _ROWS_AT_ONCE)
            connection.execute(statement, _parameters(part, family(connection.dialect)))
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if progress is not None:
            progress(rows, size)
    return rows


def _statement(table: TableName, columns: Sequence[TableColumn]) -> sa.Insert:
    # Parameters have names of our own, as a column's may hold what a driver takes for something else; and no
    # type, so that a text may become a UUID or a document in the database.
    values = {
        column.name: sa.bindparam(f"c{position}", type_=sa.types.NullType())
        for position, column in enumerate(columns)
    }
    clause = quoted_table(table, tuple(column.name for column in columns))
    return sa.insert(clause).values({clause.c[name]: bind for name, bind in values.items()})


def _parameters(batch: pa.RecordBatch, database: str) -> list[dict[str, Any]]:
    keys = [f"c{position}" for position in range(batch.num_columns)]
    columns = [_values(batch.column(n), batch.schema.field(n), database) for n in range(batch.num_columns)]
    return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(array: pa.Array, field: pa.Field, database: str) -> list[Any]:
    kind = field.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        if database == "mssql":  # its driver leaves the zone of a datetime away
            array = pc.strftime(array, format="%Y-%m-%dT%H:%M:%S+00:00")
        elif database != "postgresql":
            array = array.cast(pa.timestamp("us"))  # the instant's time in UTC
    values: list[Any] = array.to_pylist()
    if database != "sqlite":
        return values
    convert = _SQLITE.get(kind.id)
    return [None if v is None else convert(v, field.name) for v in values] if convert else values


def _sqlite_number(value: Decimal, column: str) -> int | float:
    """SQLite has no decimals, but keeps fifteen digits of a number."""
    if value == value.to_integral_value() and abs(value) < 2**63:
        return int(value)
    if len(value.normalize().as_tuple().digits) > _SQLITE_DIGITS:
        raise DatastoreException(
            f"Column {column!r}: SQLite keeps {_SQLITE_DIGITS} digits of a number, and {value} has more. "
            f"Make the column text, or round it."
        )
    return float(value)


def _sqlite_text(value: datetime.date | datetime.time, column: str) -> str:
    return value.isoformat(sep=" ") if isinstance(value, datetime.datetime) else value.isoformat()


_SQLITE: dict[int, Callable[[Any, str], Any]] = {
    pa.lib.Type_DECIMAL128: _sqlite_number,
    pa.lib.Type_DATE32: _sqlite_text,
    pa.lib.Type_TIME64: _sqlite_text,
    pa.lib.Type_TIMESTAMP: _sqlite_text,
}

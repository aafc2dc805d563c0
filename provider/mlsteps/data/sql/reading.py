"""Reads a query's rows in portions, so that memory stays flat: the database holds back the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection, CursorResult, Engine
from sqlalchemy.exc import SQLAlchemyError

from mlsteps.data.sql.databases import family
from mlsteps.data.sql.deadline import Deadline
from mlsteps.data.sql.errors import telling
from mlsteps.data.sql.result_rows import to_batch
from mlsteps.data.sql.result_types import settled_schema
from mlsteps.data.sql.statement import Source, described, statement_for
from mlsteps.data.sql.table_columns import read_columns
from mlsteps.data.sql.table_name import TableName
from mlsteps.exceptions import DatastoreException

_FIRST_PORTION = 1024  # rows; also those that types are taken from where the database does not say them
_LARGEST_PORTION = 8192  # rows
_PORTION_BYTES = 4 * 1024 * 1024  # in Arrow; the driver's Python objects take several times that


class Rows(Iterator[pa.RecordBatch]):
    """A query's rows, batch by batch. Leaving its ``with`` block early gives the rest up.

    :ivar schema: Names and types of the columns; all batches have it.
    """

    def __init__(self, schema: pa.Schema, batches: Generator[pa.RecordBatch, None, None]) -> None:
        self.schema = schema
        self._batches = batches

    def __next__(self) -> pa.RecordBatch:
        return next(self._batches)

    def __enter__(self) -> Rows:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the query and its connection. What was read stays."""
        self._batches.close()


def read(engine: Engine, label: str, source: Source, timeout: float | None) -> Rows:
    """Start reading; returns when the first rows are there.

    :raises DatastoreException: the database refuses, or the time is up.
    :raises UserErrorException: the database cannot do what ``source`` asks.
    """
    batches = _batches(engine, label, source, Deadline(timeout))
    schema = next(batches)
    return Rows(schema, batches)


def _batches(
    engine: Engine, label: str, source: Source, deadline: Deadline
) -> Generator[pa.Schema | pa.RecordBatch, None, None]:
    """First the schema, then the batches."""
    doing = f"reading {described(source)}"
    with telling(label, doing, engine.url), engine.connect() as connection:
        whole, result = False, None
        number = _number(connection)
        try:
            deadline.tell(connection)
            result = _execute(connection, source)
            if not result.returns_rows:
                raise DatastoreException(f"{label}: {doing} gave no rows: it is not something that is read.")
            description = tuple(result.cursor.description)
            rows: Sequence[Sequence[Any]] = result.fetchmany(_FIRST_PORTION)
            schema = _schema(connection, source, description, rows, f"{label}: {doing}")
            yield schema
            read_rows = 0
            while rows:
                deadline.check(label, doing)
                batch = to_batch(rows, schema, read_rows)
                read_rows += batch.num_rows
                yield batch
                rows = result.fetchmany(_portion(batch))
            connection.commit()
            whole = True
        except SQLAlchemyError:
            deadline.check(label, doing)
            raise
        finally:
            if not whole:
                _give_up(engine, number, result)
            # Not given back to a pool, as the time limit would stay.
            if not whole or deadline.seconds is not None:
                connection.invalidate()


def _execute(connection: Connection, source: Source) -> CursorResult[Any]:
    statement = statement_for(source, connection)
    options = {"stream_results": statement.streams}
    if isinstance(statement.clause, str):
        # Without parameters, or the driver would take a percent sign for one.
        return connection.exec_driver_sql(
            statement.clause, execution_options={**options, "no_parameters": True}
        )
    return connection.execute(statement.clause, dict(statement.parameters), execution_options=options)


def _number(connection: Connection) -> int | None:
    """The server's number for a connection of MySQL."""
    if family(connection.dialect) != "mysql":
        return None
    return connection.execute(sa.text("SELECT CONNECTION_ID()")).scalar()


def _give_up(engine: Engine, number: int | None, result: CursorResult[Any] | None) -> None:
    """End a query whose rows were not all read."""
    with suppress(SQLAlchemyError):
        if number is not None:
            # MySQL's drivers fetch all that is left before they close a result, so let there be nothing left.
            with engine.connect() as other:
                other.execute(sa.text("KILL QUERY :number"), {"number": number})
        if result is not None:
            result.close()


def _portion(batch: pa.RecordBatch) -> int:
    """Rows to ask for next, by the size of those before."""
    a_row: int = max(batch.nbytes // batch.num_rows, 1)
    return max(min(_PORTION_BYTES // a_row, _LARGEST_PORTION), 1)


def _schema(
    connection: Connection,
    source: Source,
    description: Sequence[Sequence[Any]],
    rows: Sequence[Sequence[Any]],
    where: str,
) -> pa.Schema:
    names = [column[0] or f"column_{position}" for position, column in enumerate(description, 1)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DatastoreException(
            f"{where} gives {len(names)} columns, several of them called {twice[0]!r}. "
            f"Give each a name of its own in the query, as in 'a.{twice[0]} AS a_{twice[0]}'."
        )
    database = family(connection.dialect)
    schema = settled_schema(database, description, names, rows)
    if database == "sqlite" and isinstance(source, TableName):
        # It says nothing about a result's columns, but a table's are declared.
        declared = {column.name: column.arrow_type for column in read_columns(connection, source) or ()}
        schema = pa.schema([(field.name, declared.get(field.name, field.type)) for field in schema])
    return schema

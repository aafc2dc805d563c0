"""Loads rows into a table so that readers see all of them or none, and a retry does not load them twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from mlsteps.data.sql import staging
from mlsteps.data.sql.databases import creates_in_transactions, family
from mlsteps.data.sql.errors import still_being_defined
from mlsteps.data.sql.inserting import Progress, insert_batches
from mlsteps.data.sql.ledger import Ledger
from mlsteps.data.sql.statement import quoted_table
from mlsteps.data.sql.table_columns import TableColumn, sql_type
from mlsteps.data.sql.table_name import TableName
from mlsteps.exceptions import DatastoreException, UserErrorException

Mode = Literal["create", "append", "replace"]

_PAUSE, _PATIENCE = 0.2, 20.0  # seconds


@dataclass(frozen=True)
class TableWritten:
    """What became of a load.

    :param rows: Rows that it wrote, now or, if ``repeated``, the first time.
    :param created: Whether it made the table.
    :param repeated: Whether it had been done before, and nothing was written now.
    """

    table: TableName
    rows: int
    created: bool = False
    repeated: bool = False


@dataclass(frozen=True)
class Load:
    """Rows on their way into a table.

    :param columns: The columns that the rows have, as they are in the table, or will be.
    :param schema: The rows' own, which a new table is made for.
    """

    table: TableName
    columns: Sequence[TableColumn]
    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]
    mode: Mode
    ledger: Ledger | None = None
    progress: Progress | None = field(default=None, repr=False)

    def insert(self, connection: Connection, table: TableName) -> int:
        """Insert the rows into ``table``; returns their number."""
        return insert_batches(connection, table, self.columns, self.batches, self.progress)


def checked_mode(mode: str) -> Mode:
    """:raises UserErrorException: there is no such mode."""
    if mode not in get_args(Mode):
        raise UserErrorException(f"mode {mode!r} is not one of {', '.join(get_args(Mode))}.")
    return mode  # type: ignore[return-value] # which mypy does not see


def done_before(engine: Engine, table: TableName, ledger: Ledger | None) -> TableWritten | None:
    """What an earlier try of the same load wrote, if it came to its end.

    A try that was killed between committing its rows and giving the table its name is completed here.
    """
    if ledger is None:
        return None
    # A server may be at the DDL of that try for a while after it was killed.
    patiently = Retrying(
        retry=retry_if_exception(still_being_defined),
        wait=wait_fixed(_PAUSE),
        stop=stop_after_delay(_PATIENCE),
        reraise=True,
    )
    return patiently(_done_before, engine, table, ledger)


def _done_before(engine: Engine, table: TableName, ledger: Ledger) -> TableWritten | None:
    ledger.make(engine)
    with engine.connect() as connection:
        entry = ledger.entry(connection)
        if entry is None:
            return None
        if entry.staging is not None:
            staging.publish_left_over(connection, TableName(entry.staging, table.schema), table)
    return TableWritten(table, entry.rows, repeated=True)


def load(engine: Engine, load: Load) -> TableWritten:
    """Write the rows, all or none.

    :raises UserErrorException: mode "create", and the table is there.
    :raises sqlalchemy.exc.SQLAlchemyError: the database refuses.
    """
    if (earlier := done_before(engine, load.table, load.ledger)) is not None:
        return earlier
    try:
        with engine.connect() as connection:
            if creates_in_transactions(engine.dialect):
                return _in_one_transaction(connection, load)
            return _without_transactional_ddl(connection, load)
    except IntegrityError:
        # Another process at the same load was faster: the task was taken for dead, and is tried again.
        if (meanwhile := done_before(engine, load.table, load.ledger)) is not None:
            return meanwhile
        raise


def _in_one_transaction(connection: Connection, load: Load) -> TableWritten:
    if family(connection.dialect) == "sqlite":
        # Python's driver begins by itself only before rows are changed, and not before a table is made.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    if load.ledger is not None:
        load.ledger.claim(connection)
    exists = _exists(connection, load.table)
    if not exists and family(connection.dialect) == "postgresql":
        # Two that make the same table at once would get in each other's way.
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _lock_key(load.table)})
        exists = _exists(connection, load.table)
    _prepare(connection, load, exists)
    if not exists:
        create_table(connection, load.table, load.schema, load.columns)
    rows = load.insert(connection, load.table)
    if load.ledger is not None:
        load.ledger.count(connection, rows)
    connection.commit()
    return TableWritten(load.table, rows, created=not exists)


def _without_transactional_ddl(connection: Connection, load: Load) -> TableWritten:
    """MySQL and MariaDB commit at every CREATE TABLE: a new table is filled under another name."""
    if _exists(connection, load.table):
        staging.clear_away(connection, load.table)
        staging.check_engine(connection, load.table)
        if load.ledger is not None:
            load.ledger.claim(connection)
        _prepare(connection, load, exists=True)
        rows = load.insert(connection, load.table)
        if load.ledger is not None:
            load.ledger.count(connection, rows)
        connection.commit()
        return TableWritten(load.table, rows)

    with staging.only_one(connection, load.table):
        if _exists(connection, load.table):
            raise DatastoreException(
                f"Table {str(load.table)!r} was made by somebody else just now. Try again."
            )
        staging.drop_left_over(connection, load.table)
        place = staging.new_name(load.table)
        create_table(connection, place, load.schema, load.columns)
        if load.ledger is not None:
            load.ledger.claim(connection)
        rows = load.insert(connection, place)
        if load.ledger is not None:
            load.ledger.count(connection, rows, place.name)
        connection.commit()
        staging.publish(connection, place, load.table)
    return TableWritten(load.table, rows, created=True)


def _prepare(connection: Connection, load: Load, exists: bool) -> None:
    if exists and load.mode == "create":
        raise already_there(load.table)
    if exists and load.mode == "replace":
        connection.execute(sa.delete(quoted_table(load.table)))


def already_there(table: TableName) -> UserErrorException:
    """The error of mode "create" for a table that exists."""
    return UserErrorException(
        f"Table {str(table)!r} exists already, and mode is 'create'. Use 'append' to add rows, 'replace' "
        f"to put others in their place, or another name."
    )


def create_table(
    connection: Connection, table: TableName, schema: pa.Schema, columns: Sequence[TableColumn]
) -> None:
    """Make a table for rows of ``schema``."""
    dialect = connection.dialect
    made = [
        sa.Column(sa.sql.quoted_name(column.name, quote=True), sql_type(field, dialect, str(table)))
        for column, field in zip(columns, schema, strict=True)
    ]
    clause = sa.Table(
        sa.sql.quoted_name(table.name, quote=True),
        sa.MetaData(),
        *made,
        schema=sa.sql.quoted_name(table.schema, quote=True) if table.schema else None,
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )
    connection.execute(sa.schema.CreateTable(clause))


def _exists(connection: Connection, table: TableName) -> bool:
    return sa.inspect(connection).has_table(table.name, schema=table.schema)


def _lock_key(table: TableName) -> int:
    digest = hashlib.sha256(f"mlsteps {table}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)

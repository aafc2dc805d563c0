"""Tables that MySQL and MariaDB fill under another name, ``<table>__mlsteps_<random>``, and then rename.

Whoever makes one holds a lock of the server on the target's name, which ends with the connection. So a
staging table that is there when the lock is had belongs to nobody.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from mlsteps.data.sql.databases import quoted
from mlsteps.data.sql.ledger import forget_staging
from mlsteps.data.sql.table_name import TableName
from mlsteps.exceptions import DatastoreException

_LONGEST_LABEL = 42  # characters; MySQL's names may have 64
_WAIT = 60  # seconds; the server soon sees that a killed process is gone
_TRANSACTIONAL = ("innodb", "ndbcluster", "rocksdb", "tokudb")


def new_name(table: TableName) -> TableName:
    """A name for a staging table of ``table`` that nobody has."""
    return TableName(f"{_prefix(table)}{os.urandom(5).hex()}", table.schema)


@contextmanager
def only_one(connection: Connection, table: TableName) -> Iterator[None]:
    """Hold the lock for making ``table``.

    :raises DatastoreException: somebody else has it for more than a minute.
    """
    with _lock(connection, table, _WAIT) as mine:
        if not mine:
            raise DatastoreException(
                f"Table {str(table)!r} is being made by another load, for more than {_WAIT} seconds now. "
                f"Let that one end, and try again."
            )
        yield


def drop_left_over(connection: Connection, table: TableName) -> None:
    """Drop what killed loads left, under the lock."""
    for name in _left_over(connection, table):
        # First the entry: were it to stay, its rows would be gone and yet counted as loaded.
        forget_staging(connection, name, table.schema)
        _execute(connection, "DROP TABLE IF EXISTS {}", TableName(name, table.schema))


def clear_away(connection: Connection, table: TableName) -> None:
    """Drop what killed loads left, unless somebody is at it."""
    if _left_over(connection, table):
        with _lock(connection, table, 0) as mine:
            if mine:
                drop_left_over(connection, table)


def publish(connection: Connection, place: TableName, table: TableName) -> None:
    """Give a filled staging table its name."""
    _execute(connection, "RENAME TABLE {} TO {}", place, table)


def publish_left_over(connection: Connection, place: TableName, table: TableName) -> None:
    """Complete a load that was killed after its rows were committed."""
    if not sa.inspect(connection).has_table(place.name, schema=place.schema):
        return  # it was published, which is how loads end
    with only_one(connection, table):
        inspector = sa.inspect(connection)
        if inspector.has_table(place.name, schema=place.schema):
            publish(connection, place, table)


def check_engine(connection: Connection, table: TableName) -> None:
    """:raises DatastoreException: the table's engine has no transactions, so readers would see half of it."""
    options = sa.inspect(connection).get_table_options(table.name, schema=table.schema)
    engine = str(options.get("mysql_engine") or options.get("mariadb_engine") or "InnoDB")
    if engine.lower() not in _TRANSACTIONAL:
        raise DatastoreException(
            f"Table {str(table)!r} is of the engine {engine}, which has no transactions: a killed load would "
            f"leave a part of the rows. Use ALTER TABLE ... ENGINE=InnoDB, or another table."
        )


def _left_over(connection: Connection, table: TableName) -> list[str]:
    pattern = re.compile(re.escape(_prefix(table)) + "[0-9a-f]{10}")
    names = sa.inspect(connection).get_table_names(schema=table.schema)
    return [name for name in names if pattern.fullmatch(name)]


def _prefix(table: TableName) -> str:
    label = table.name
    if len(label) > _LONGEST_LABEL:
        # A part of the name alone would be another table's, too.
        label = f"{label[: _LONGEST_LABEL - 9]}_{hashlib.sha256(table.name.encode()).hexdigest()[:8]}"
    return f"{label}__mlsteps_"


@contextmanager
def _lock(connection: Connection, table: TableName, seconds: int) -> Iterator[bool]:
    name = {"name": _lock_name(table)}
    took = sa.text("SELECT GET_LOCK(:name, :seconds)")
    mine = connection.execute(took, {**name, "seconds": seconds}).scalar() == 1
    try:
        yield mine
    finally:
        if mine and not connection.invalidated:
            connection.rollback()  # what an error left open
            connection.execute(sa.text("SELECT RELEASE_LOCK(:name)"), name)


def _lock_name(table: TableName) -> str:
    # The lock is the whole server's, and its name has at most 64 characters.
    return f"mlsteps:{hashlib.sha256(str(table).encode()).hexdigest()[:48]}"


def _execute(connection: Connection, statement: str, *tables: TableName) -> None:
    names = [quoted("mysql", table.schema, table.name) for table in tables]
    connection.exec_driver_sql(statement.format(*names), execution_options={"no_parameters": True})

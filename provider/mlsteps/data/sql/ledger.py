"""The ledger: a small table beside the loaded ones that says which loads are done, for none to be done twice.

A load's entry is committed together with its rows. A task that is killed after the commit, and tried again,
finds the entry and does nothing. Entries are small and are kept.
"""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.elements import quoted_name

from mlsteps.data.sql.table_name import TableName

LEDGER_NAME = "mlsteps_loads"


@dataclass(frozen=True)
class Entry:
    """A load that is done.

    :param rows: How many rows it wrote.
    :param staging: The table that they lie in until it is renamed; None if they never did.
    """

    rows: int
    staging: str | None


def ledger_table(schema: str | None) -> sa.Table:
    """The ledger's table in a schema."""
    return sa.Table(
        LEDGER_NAME,
        sa.MetaData(),
        sa.Column("load_key", sa.String(64), primary_key=True),
        sa.Column("load_id", sa.Text, nullable=False),
        sa.Column("table_name", sa.Text, nullable=False),
        sa.Column("staging", sa.String(64)),
        sa.Column("row_count", sa.BigInteger, nullable=False),
        sa.Column("loaded_at", sa.DateTime, nullable=False),
        schema=quoted_name(schema, quote=True) if schema else None,
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )


def forget_staging(connection: Connection, staging: str, schema: str | None) -> None:
    """Delete and commit the entry of a load whose rows lie in a table that will be dropped."""
    if sa.inspect(connection).has_table(LEDGER_NAME, schema=schema):
        table = ledger_table(schema)
        connection.execute(table.delete().where(table.c.staging == staging))
        connection.commit()


class Ledger:
    """The entries for loads into one table, in the table ``mlsteps_loads`` of the same schema."""

    def __init__(self, table: TableName, load_id: str) -> None:
        self._target = table
        self._load_id = load_id
        # Of a fixed length, and alike in databases that compare texts without case.
        self._key = hashlib.sha256(f"{table}\n{load_id}".encode()).hexdigest()
        self._table = ledger_table(table.schema)

    def make(self, engine: Engine) -> None:
        """Make the ledger's table unless it is there."""
        try:
            self._table.create(engine, checkfirst=True)
        except SQLAlchemyError:
            # Somebody else may have made it in the same moment.
            if not sa.inspect(engine).has_table(LEDGER_NAME, schema=self._target.schema):
                raise

    def entry(self, connection: Connection) -> Entry | None:
        """The entry of this load, if it is done."""
        found = connection.execute(
            sa.select(self._table.c.row_count, self._table.c.staging).where(self._mine())
        ).first()
        return Entry(found[0], found[1]) if found else None

    def claim(self, connection: Connection) -> None:
        """Enter this load; nobody sees it until the transaction ends.

        :raises sqlalchemy.exc.IntegrityError: it was entered meanwhile. While another transaction is at the
            same load, this waits for its end.
        """
        connection.execute(
            self._table.insert().values(
                load_key=self._key,
                load_id=self._load_id,
                table_name=str(self._target),
                row_count=0,
                loaded_at=datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None, microsecond=0),
            )
        )

    def count(self, connection: Connection, rows: int, staging: str | None = None) -> None:
        """Say in the entry how many rows were written, and where they lie."""
        connection.execute(self._table.update().where(self._mine()).values(row_count=rows, staging=staging))

    def _mine(self) -> sa.ColumnElement[bool]:
        return self._table.c.load_key == self._key

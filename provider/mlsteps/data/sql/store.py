"""SqlStore: what a SQL datastore can do. Made by the hook from a connection; knows nothing of Airflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from mlsteps.data.sql.errors import place, telling
from mlsteps.data.sql.fitting import cast_batch, matched
from mlsteps.data.sql.inserting import Progress
from mlsteps.data.sql.ledger import Ledger
from mlsteps.data.sql.loading import Load, Mode, TableWritten, checked_mode, done_before, load
from mlsteps.data.sql.reading import Rows, read
from mlsteps.data.sql.statement import Query, Source
from mlsteps.data.sql.table_columns import TableColumn, columns_for, read_columns
from mlsteps.data.sql.table_name import TableName, as_table_name
from mlsteps.exceptions import MlstepsException, UserErrorException

if TYPE_CHECKING:
    import pandas as pd


class SqlStore:
    """Rows of one database, read and written as Arrow record batches.

    Nothing is opened until a verb is used, and each verb opens a connection of its own. Errors of the
    database are DatastoreExceptions without passwords.

    :param make_engine: Makes the SQLAlchemy engine; called once, on first use.
    :param label: The store in errors, as in "Datastore 'sales'".
    """

    def __init__(self, make_engine: Callable[[], Engine], label: str) -> None:
        self._make_engine = make_engine
        self.label = label

    def __repr__(self) -> str:
        return f"SqlStore({self.label!r})"

    @cached_property
    def engine(self) -> Engine:
        """SQLAlchemy's engine for the database."""
        with telling(self.label, "opening the database", None):
            return self._make_engine()

    def url(self) -> str:
        """Where the database is, for people and records: without user, password and options."""
        return place(self.engine.url)

    def test(self) -> tuple[bool, str]:
        """Whether the database answers, and what to tell whoever asked."""
        try:
            with self._telling("connecting"), self.engine.connect() as connection:
                connection.execute(sa.select(sa.literal(1)))
        except MlstepsException as error:
            return False, str(error)
        return True, f"{self.url()} answers"

    def read_pandas(
        self,
        query: Source | str,
        parameters: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """The rows of a query as a data frame, all of them in memory.

        :param query: A text is a query; a TableName or Procedure reads that.
        :param parameters: Values for ``:name`` in a query that is a text.
        :param timeout: Seconds that it may take; None is no limit.
        :raises DatastoreException: the database refuses, or the time is up.
        """
        with self.read_batches(query, parameters, timeout) as rows:
            table = pa.Table.from_batches(rows, rows.schema)
            try:
                return table.to_pandas()
            except ImportError:
                raise MlstepsException(
                    "read_pandas needs pandas, which is not installed: pip install pandas"
                ) from None

    def read_batches(
        self,
        query: Source | str,
        parameters: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Rows:
        """The rows of a query as an iterator of record batches with one schema, read while they are used.

        The database holds the rows back until they are asked for, so memory stays flat for results of any
        size. Use it in a ``with`` block; leaving that early gives the rest up. Parameters and errors are
        those of :meth:`read_pandas`; errors may come with any batch.

        Decimals without limits (``sum``, ``avg``) have 18 digits after the point, and are rounded to them.
        Times with a zone are instants in UTC. Integers of MySQL are one size wider than they are there, as it
        does not say which of them are unsigned; TINYINT(1) is a boolean. A query of SQLite gets its types
        from the first rows, because SQLite has none for a query's columns; a table from its declaration.
        """
        return read(self.engine, self.label, _source(query, parameters), timeout)

    def schema_of(self, table: TableName | str) -> tuple[TableColumn, ...] | None:
        """The columns of a table or view, in their order; None if there is no such table."""
        name = as_table_name(table)
        with self._telling(f"looking at table {str(name)!r}"), self.engine.connect() as connection:
            return read_columns(connection, name)

    def write_batches(
        self,
        table: TableName | str,
        batches: Rows | pa.RecordBatchReader | Iterable[pa.RecordBatch],
        mode: Mode = "append",
        *,
        load_id: str | None = None,
        progress: Progress | None = None,
    ) -> TableWritten:
        """Write rows into a table: all of them or none, and readers never see a part.

        :param batches: All of one schema; without any batch at least a reader that has it.
        :param mode: ``append`` adds rows, and makes the table if there is none (as SDK v1's transfers did);
            ``create`` refuses a table that is there; ``replace`` deletes the rows that are there and keeps
            the table itself, its indexes and grants.
        :param load_id: What tells this load from others, the same for every try of it. A load that was done
            once is then not done again, even if the process was killed right after it; this is noted in the
            table ``mlsteps_loads`` of the same schema. None: a try after such a kill appends the rows twice.
        :param progress: Called with the rows and the bytes (in memory) so far.
        :raises UserErrorException: the columns do not fit the table; nothing was written.
        :raises DatastoreException: the database refuses; nothing was written.
        """
        name = as_table_name(table)
        schema, rows = _with_schema(batches)
        where = f"Rows for table {str(name)!r}"
        columns = self.schema_of(name)
        if columns is None:
            target = columns_for(schema, self.engine.dialect, where)
        else:
            target = matched(schema, columns, self.engine.dialect, where, name)
        fitting = (cast_batch(batch, target, where) for batch in rows)
        return self.load(name, target, schema, fitting, mode, load_id=load_id, progress=progress)

    def load(
        self,
        table: TableName,
        columns: Sequence[TableColumn],
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        mode: Mode,
        *,
        load_id: str | None = None,
        progress: Progress | None = None,
    ) -> TableWritten:
        """Like :meth:`write_batches`, for batches that are known to fit.

        :param columns: The table's columns that ``batches`` have, in the same order.
        :param schema: What a new table is made for.
        """
        ledger = None if load_id is None else Ledger(table, load_id)
        job = Load(table, columns, schema, batches, checked_mode(mode), ledger, progress)
        with self._telling(f"writing table {str(table)!r}"):
            return load(self.engine, job)

    def done_before(self, table: TableName, load_id: str | None) -> TableWritten | None:
        """What an earlier try of the same load wrote, if it came to its end."""
        ledger = None if load_id is None else Ledger(table, load_id)
        with self._telling("looking for earlier tries in mlsteps_loads"):
            return done_before(self.engine, table, ledger)

    def close(self) -> None:
        """Close what connections the engine keeps."""
        self.engine.dispose()

    def _telling(self, doing: str) -> AbstractContextManager[None]:
        return telling(self.label, doing, self.engine.url)


def _source(query: Source | str, parameters: Mapping[str, Any] | None) -> Source:
    if isinstance(query, str):
        return Query(query, dict(parameters or {}))
    if parameters:
        raise UserErrorException("parameters belong to a query that is a text.")
    return query


def _with_schema(
    batches: Rows | pa.RecordBatchReader | Iterable[pa.RecordBatch],
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    iterator = iter(batches)
    schema = getattr(batches, "schema", None)
    if schema is not None:
        return schema, iterator
    try:
        first = next(iterator)
    except StopIteration:
        raise UserErrorException(
            "There is no batch, so the columns are not known. Give a pyarrow.RecordBatchReader."
        ) from None
    return first.schema, chain([first], iterator)

"""files_to_table: CSV or Parquet files of a datastore as rows of a table."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pyarrow as pa

from mlsteps.data.sql.csv_types import CsvTypes
from mlsteps.data.sql.fitting import by_name, matched
from mlsteps.data.sql.inserting import Progress
from mlsteps.data.sql.loading import Mode, TableWritten, already_there, checked_mode
from mlsteps.data.sql.source_file import SourceFile
from mlsteps.data.sql.store import SqlStore
from mlsteps.data.sql.table_columns import TableColumn, columns_for
from mlsteps.data.sql.table_name import TableName, as_table_name
from mlsteps.data.sql.to_file import Format, format_of
from mlsteps.data.stores.base import Store
from mlsteps.exceptions import DataNotFoundException, UserErrorException


def files_to_table(
    store: Store,
    paths: Sequence[str],
    sql: SqlStore,
    table: TableName | str,
    *,
    mode: Mode = "append",
    load_id: str | None = None,
    format: Format | None = None,
    progress: Progress | None = None,
) -> TableWritten:
    """Load files into a table: all their rows or none, and readers never see a part.

    First every file is gone through: columns by name, and every value against its column. Only then is
    anything written. All files have the same columns, in any order; a column that the table has and the files
    have not gets its default. A table that does not exist is made for the first file's columns; those of
    CSV get the type that all values have, with text for what looks like a number and is none (``007``).

    :param paths: Files on ``store``, each as :meth:`Store.list` gives it.
    :param mode: ``append`` adds rows, and makes the table if there is none (as SDK v1's transfers did);
        ``create`` refuses a table that is there; ``replace`` puts these rows in the place of those there.
    :param load_id: What tells this load from others, the same for every try of it; see
        :meth:`SqlStore.write_batches`. A second run with the same one writes nothing.
    :param format: ``csv`` or ``parquet``. Default: by each path's extension.
    :param progress: Called with the rows and the bytes (in memory) so far.
    :raises DataNotFoundException: a file is not there.
    :raises UserErrorException: a file does not fit; the text names it, the column, and what was expected
        and found.
    :raises DatastoreException: the database refuses; nothing was written.
    """
    name = as_table_name(table)
    if isinstance(paths, str) or not paths:
        raise UserErrorException(
            f"files_to_table: paths must be a list with at least one path, got {paths!r}."
        )
    checked_mode(mode)
    if (earlier := sql.done_before(name, load_id)) is not None:
        return earlier
    with _local_copies(store, paths, format) as files:
        existing = sql.schema_of(name)
        if existing is not None and mode == "create":
            raise already_there(name)
        first = files[0]
        if existing is None:
            schema = _schema_of(files)
            columns = columns_for(schema, sql.engine.dialect, first.path)
        else:
            columns = by_name(first.names(), existing, first.path, name)
            schema = pa.schema([(column.name, column.arrow_type) for column in columns])
        targets = [_target(file, columns, existing or columns, sql, name) for file in files]
        for file, target in zip(files, targets, strict=True):
            for _ in file.batches(target):
                pass  # which raises for a value that does not fit, before anything is written
        ordered = (
            batch.select(schema.names)
            for batch in chain.from_iterable(
                file.batches(target) for file, target in zip(files, targets, strict=True)
            )
        )
        return sql.load(name, columns, schema, ordered, mode, load_id=load_id, progress=progress)


def _schema_of(files: Sequence[SourceFile]) -> pa.Schema:
    """The columns of the first file; of CSV with the types that all values of all files have."""
    first = files[0]
    if first.format == "parquet":
        return first.schema()
    types = CsvTypes(first.names())
    for file in files:
        if file.format == "csv" and set(file.names()) == set(first.names()):
            file.show(types)
    return types.schema()


def _target(
    file: SourceFile,
    columns: Sequence[TableColumn],
    table_columns: Sequence[TableColumn],
    sql: SqlStore,
    table: TableName,
) -> tuple[TableColumn, ...]:
    """The table's columns in the file's order.

    :raises UserErrorException: the file's columns are not those of the first file, or have other types.
    """
    names = file.names()
    expected = [column.name for column in columns]
    if set(names) != set(expected):
        odd = sorted(set(names) ^ set(expected))[0]
        found = "has the column" if odd in names else "lacks the column"
        raise UserErrorException(
            f"{file.path} {found} {odd!r}; expected the columns of the first file: {', '.join(expected)}."
        )
    if file.format == "csv":
        return by_name(names, table_columns, file.path, table)
    return matched(file.schema(), table_columns, sql.engine.dialect, file.path, table)


@contextmanager
def _local_copies(store: Store, paths: Sequence[str], format: Format | None) -> Iterator[list[SourceFile]]:
    """The files on this machine: Parquet is not read from its beginning, and each is read twice."""
    with tempfile.TemporaryDirectory(prefix="mlsteps-sql-") as folder:
        files = []
        for number, path in enumerate(paths):
            kind = format_of(path, format)
            local = store.local_path(path)
            if local is None:
                local = Path(folder) / str(number)
                try:
                    store.get_file(path, local)
                except FileNotFoundError:
                    raise _no_file(path, store) from None
            elif not local.is_file():
                raise _no_file(path, store)
            files.append(SourceFile(path, local, kind))
        yield files


def _no_file(path: str, store: Store) -> DataNotFoundException:
    return DataNotFoundException(f"There is no file {path!r} in {store.url('')} to load into a table.")

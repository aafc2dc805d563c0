"""query_to_file: a query's rows as one CSV or Parquet file of a datastore."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from mlsteps.data.sql import csv_text
from mlsteps.data.sql.inserting import Progress
from mlsteps.data.sql.reading import Rows
from mlsteps.data.sql.statement import Source
from mlsteps.data.sql.store import SqlStore
from mlsteps.data.stores.base import Store
from mlsteps.exceptions import UserErrorException
from mlsteps.launcher import atomic

Format = Literal["csv", "parquet"]
Compression = Literal["zstd", "snappy", "none"]

_GROUP_ROWS = 65_536
_GROUP_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class WrittenFile:
    """A file that was written: its path on the store, its rows, its size in bytes."""

    path: str
    rows: int
    size: int


def query_to_file(
    sql: SqlStore,
    source: Source,
    store: Store,
    path: str,
    *,
    format: Format | None = None,
    compression: Compression = "zstd",
    timeout: float | None = None,
    progress: Progress | None = None,
) -> WrittenFile:
    """Write the rows of ``source`` to ``path`` on ``store``, whole or not at all.

    The same rows in the same order give the same bytes. Memory stays flat; the file is first made in the
    machine's temporary folder.

    :param format: ``csv`` (see ``csv_text`` for what it looks like) or ``parquet``. Default: by the path's
        extension.
    :param compression: Of Parquet.
    :param timeout: Seconds that the query may take.
    :param progress: Called with the rows and bytes written so far.
    :raises UserErrorException: the format is not known.
    :raises DatastoreException: the database refuses, a value does not fit its column, or the time is up.
    """
    kind = format_of(path, format)
    with (
        tempfile.TemporaryDirectory(prefix="mlsteps-sql-") as folder,
        sql.read_batches(source, timeout=timeout) as rows,
    ):
        local = Path(folder) / "rows"
        with atomic.replacing(local, durable=False) as out:
            count = (
                _write_csv(rows, out, progress)
                if kind == "csv"
                else _write_parquet(rows, out, compression, progress)
            )
        store.put_file(local, path)
        return WrittenFile(path, count, local.stat().st_size)


def format_of(path: str, given: str | None = None) -> Format:
    """The format of a file, by its name unless it is given.

    :raises UserErrorException: it is neither CSV nor Parquet.
    """
    kind = given or Path(path).suffix.lstrip(".").lower()
    if kind == "csv":
        return "csv"
    if kind == "parquet":
        return "parquet"
    raise UserErrorException(f"{path!r}: the format {kind!r} is not csv or parquet. Give it with format=.")


def _write_csv(rows: Rows, out: IO[bytes], progress: Progress | None) -> int:
    count = 0
    out.write(csv_text.header_line(rows.schema))
    for batch in rows:
        out.write(csv_text.lines(batch))
        count += batch.num_rows
        if progress is not None:
            progress(count, out.tell())
    return count


def _write_parquet(rows: Rows, out: IO[bytes], compression: Compression, progress: Progress | None) -> int:
    count = 0
    with pq.ParquetWriter(out, rows.schema, compression=compression) as writer:
        for group in _groups(rows):
            writer.write_table(group, row_group_size=max(group.num_rows, 1))
            count += group.num_rows
            if progress is not None:
                progress(count, out.tell())
    return count


def _groups(rows: Rows) -> Iterator[pa.Table]:
    """Batches put together to row groups of a size that readers like, which memory has room for."""
    pending: list[pa.RecordBatch] = []
    for batch in rows:
        pending.append(batch)
        count = sum(part.num_rows for part in pending)
        if count >= _GROUP_ROWS or sum(part.nbytes for part in pending) >= _GROUP_BYTES:
            yield pa.Table.from_batches(pending, rows.schema)
            pending = []
    if pending:
        yield pa.Table.from_batches(pending, rows.schema)

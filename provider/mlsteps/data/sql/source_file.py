"""CSV and Parquet files on their way into a table: their columns, and their rows in batches."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from mlsteps.data.sql import csv_text
from mlsteps.data.sql.csv_types import CsvTypes
from mlsteps.data.sql.fitting import cast_batch
from mlsteps.data.sql.table_columns import TableColumn
from mlsteps.data.sql.to_file import Format
from mlsteps.exceptions import UserErrorException

_CSV_BLOCK = 8 * 1024 * 1024  # bytes; a line must not be longer
_PARQUET_ROWS = 8192


@dataclass(frozen=True)
class SourceFile:
    """A file of a datastore, copied to this machine.

    :param path: On the datastore, for errors.
    """

    path: str
    local: Path
    format: Format

    def names(self) -> list[str]:
        """The names of its columns.

        :raises UserErrorException: it is no such file, or two columns have one name.
        """
        names = self._header() if self.format == "csv" else self.schema().names
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice or not names:
            problem = f"several columns are called {twice[0]!r}" if twice else "it has no columns"
            raise UserErrorException(f"{self.path}: {problem}.")
        return names

    def show(self, types: CsvTypes) -> None:
        """Let ``types`` see all values of a CSV file."""
        for batch in self._csv_batches():
            types.see(batch)

    def schema(self) -> pa.Schema:
        """The columns of a Parquet file with their types."""
        try:
            return pq.read_schema(self.local).remove_metadata()
        except pa.ArrowException as error:
            raise UserErrorException(f"{self.path}: is not a Parquet file: {error}") from None

    def batches(self, columns: Sequence[TableColumn]) -> Iterator[pa.RecordBatch]:
        """Its rows as values of the table's columns, which are given in the file's order.

        :raises UserErrorException: naming file, column and row of a value that does not fit.
        """
        row = 0
        for batch in self._csv_batches() if self.format == "csv" else self._parquet_batches():
            if self.format == "csv":
                yield self._parsed(batch, columns, row)
            else:
                yield cast_batch(batch, columns, self.path, row)
            row += batch.num_rows

    def _parsed(self, batch: pa.RecordBatch, columns: Sequence[TableColumn], row: int) -> pa.RecordBatch:
        arrays = []
        for texts, column in zip(batch.columns, columns, strict=True):
            try:
                arrays.append(csv_text.parse(texts, column.arrow_type))
            except pa.ArrowException:
                position, value = csv_text.culprit(texts, column.arrow_type)
                raise UserErrorException(
                    f"{self.path}, column {column.name!r}, row {row + position + 1}: expected "
                    f"{column.sql_type}, found {value!r}."
                ) from None
        return pa.RecordBatch.from_arrays(arrays, [column.name for column in columns])

    def _header(self) -> list[str]:
        with self.local.open(encoding="utf-8-sig", newline="") as file:
            try:
                return next(csv.reader(file), [])
            except (UnicodeDecodeError, csv.Error) as error:
                raise UserErrorException(f"{self.path}: is not CSV in UTF-8: {error}") from None

    def _csv_batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as text, NULL for a field that is empty and not quoted."""
        names = self.names()
        try:
            yield from pacsv.open_csv(
                self.local,
                read_options=pacsv.ReadOptions(block_size=_CSV_BLOCK, use_threads=False),
                # In one column, an empty line is a NULL.
                parse_options=pacsv.ParseOptions(newlines_in_values=True, ignore_empty_lines=len(names) > 1),
                convert_options=pacsv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise UserErrorException(f"{self.path}: is not CSV as mlsteps reads it: {error}") from None

    def _parquet_batches(self) -> Iterator[pa.RecordBatch]:
        try:
            with pq.ParquetFile(self.local) as file:
                yield from file.iter_batches(_PARQUET_ROWS, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise UserErrorException(f"{self.path}: cannot be read as Parquet: {error}") from None

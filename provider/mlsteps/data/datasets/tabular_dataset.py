"""TabularDataset: rows with named columns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from mlsteps.data.datasets.abstract import AbstractDataset
from mlsteps.data.datasets.definition import (
    ConvertedSource,
    Definition,
    DropColumns,
    FilesReader,
    KeepColumns,
    Timestamps,
)
from mlsteps.data.datasets.expressions import Expression, column, recent
from mlsteps.data.datasets.file_dataset import FileDataset
from mlsteps.exceptions import UserErrorException

T = TypeVar("T", bound="TabularDataset")


class TabularDataset(AbstractDataset):
    """Rows of delimited, JSON lines or Parquet files, or of a query. Made by ``Dataset.Tabular``.

    Each method that selects rows or columns gives a new dataset and reads nothing.
    (SDK v1: ``azureml.data.TabularDataset``.)
    """

    # Reading

    def to_pandas_dataframe(self, on_error: str = "null", out_of_range_datetime: str = "null") -> Any:
        """All rows, as a pandas ``DataFrame``. Files are read one after the other, sorted by path.

        :param on_error: What becomes of a value that is not of its column's type: ``null`` makes it missing,
            with a warning in the log that counts them; ``fail`` is an error.
        :param out_of_range_datetime: The same for dates that pandas cannot hold.
        :raises UserErrorException: pandas (for Parquet also pyarrow) is not installed, or a file is not of
            the form that the dataset says.
        :raises DataNotFoundException: a path of the dataset is not there.
        """
        from mlsteps.data.datasets.tables import frames_of, whole

        for argument, value in (("on_error", on_error), ("out_of_range_datetime", out_of_range_datetime)):
            if value not in ("null", "fail"):
                raise UserErrorException(
                    f"to_pandas_dataframe: {argument} is 'null' or 'fail', got {value!r}."
                )
        return whole(frames_of(self.definition, self.workspace, on_error, out_of_range_datetime))

    def to_csv_files(self, separator: str = ",") -> FileDataset:
        """The rows as CSV files with a header, ``part-00000.csv`` and so on, made when they are read."""
        return self._converted("csv", separator)

    def to_parquet_files(self) -> FileDataset:
        """The rows as Parquet files, ``part-00000.parquet`` and so on, made when they are read."""
        return self._converted("parquet")

    def _converted(self, format: str, separator: str = ",") -> FileDataset:
        source = ConvertedSource(self.definition, format, separator)
        return FileDataset(Definition((source,), FilesReader()), self.workspace)

    def partition_by(
        self,
        partition_keys: Iterable[str],
        target: Any,
        name: str | None = None,
        show_progress: bool = True,
        partition_as_file_dataset: bool = False,
    ) -> AbstractDataset:
        """Write the rows as Parquet files in a folder for each value of some columns. Reads all rows.

        :param partition_keys: The columns; their values become the names of the folders.
        :param target: A ``DataPath``, ``Datastore``, or ``(datastore, path)``; a new folder is made there.
        :param name: Register the result under this name, as a new version.
        :param partition_as_file_dataset: Return a FileDataset of the files.
        :returns: A dataset of what was written, with the keys as partition columns.
        """
        from mlsteps.data.datasets.writing import partition_by

        keys = _columns(partition_keys, "partition_by")
        return partition_by(self, keys, target, name, show_progress, partition_as_file_dataset)

    # Columns

    def keep_columns(self: T, columns: str | Iterable[str], validate: bool = False) -> T:
        """Only these columns, in this order.

        :param validate: Accepted for SDK v1: a column that is not there is an error when rows are read.
        """
        kept = _columns(columns, "keep_columns")
        return self._then(KeepColumns(kept))._without_timestamps_but(lambda name: name in kept)

    def drop_columns(self: T, columns: str | Iterable[str]) -> T:
        """All but these columns."""
        dropped = _columns(columns, "drop_columns")
        return self._then(DropColumns(dropped))._without_timestamps_but(lambda name: name not in dropped)

    # Time

    @property
    def timestamp_columns(self) -> tuple[str | None, str | None]:
        """``(timestamp, partition_timestamp)``, as given to :meth:`with_timestamp_columns`."""
        for transform in reversed(self.definition.transforms):
            if isinstance(transform, Timestamps):
                return transform.timestamp, transform.partition_timestamp
        return None, None

    def with_timestamp_columns(
        self: T,
        timestamp: str | None = None,
        partition_timestamp: str | None = None,
        validate: bool = False,
        **kwargs: Any,
    ) -> T:
        """Say which columns hold the time, for the ``time_`` methods; without any, none does.

        :param timestamp: A column of datetimes.
        :param partition_timestamp: A coarser one, such as a column of ``partition_format``.
        :param validate: Accepted for SDK v1: a wrong column is always an error when rows are read.
        """
        # Names that they had before SDK v1.0.85.
        timestamp = timestamp or kwargs.pop("fine_grain_timestamp", None)
        partition_timestamp = partition_timestamp or kwargs.pop("coarse_grain_timestamp", None)
        if kwargs:
            raise TypeError(f"with_timestamp_columns() has no argument {next(iter(kwargs))!r}")
        if timestamp is not None and timestamp == partition_timestamp:
            raise UserErrorException(
                f"with_timestamp_columns: timestamp and partition_timestamp are both {timestamp!r}; give one."
            )
        return self._then(Timestamps(timestamp, partition_timestamp))

    def time_before(self: T, end_time: datetime, include_boundary: bool = True, validate: bool = True) -> T:
        """Only rows up to ``end_time``; one without a zone is UTC."""
        return self._until(end_time, include_boundary, "time_before")

    def time_after(self: T, start_time: datetime, include_boundary: bool = True, validate: bool = True) -> T:
        """Only rows from ``start_time`` on; one without a zone is UTC."""
        return self._since(start_time, include_boundary, "time_after")

    def time_between(
        self: T,
        start_time: datetime,
        end_time: datetime,
        include_boundary: bool = True,
        validate: bool = True,
    ) -> T:
        """Only rows from ``start_time`` to ``end_time``."""
        later = self._since(start_time, include_boundary, "time_between")
        return later._until(end_time, include_boundary, "time_between")

    def time_recent(
        self: T, time_delta: timedelta, include_boundary: bool = True, validate: bool = True
    ) -> T:
        """Only rows of the last ``time_delta``, counted back from the moment when rows are read."""
        if not isinstance(time_delta, timedelta):
            raise UserErrorException(f"time_recent: time_delta must be a timedelta, got {time_delta!r}.")
        time = self._time("time_recent").tree
        return self.filter(Expression(("ge" if include_boundary else "gt", time, recent(time_delta))))

    def _since(self: T, start: datetime, include_boundary: bool, what: str) -> T:
        time, start = self._time(what), _moment(start, what)
        return self.filter(time >= start if include_boundary else time > start)

    def _until(self: T, end: datetime, include_boundary: bool, what: str) -> T:
        time, end = self._time(what), _moment(end, what)
        return self.filter(time <= end if include_boundary else time < end)

    def _time(self, what: str) -> Expression:
        # The finer column says all that the coarser one does.
        name = next((name for name in self.timestamp_columns if name is not None), None)
        if name is None:
            raise UserErrorException(
                f"{what}: the dataset has no time; say which column it is with with_timestamp_columns()."
            )
        return column(name)

    def _without_timestamps_but(self: T, stays: Any) -> T:
        left = Timestamps(*(name if name and stays(name) else None for name in self.timestamp_columns))
        changed = (left.timestamp, left.partition_timestamp) != self.timestamp_columns
        return self._then(left) if changed else self


def _columns(given: str | Iterable[str], what: str) -> tuple[str, ...]:
    columns = (given,) if isinstance(given, str) else tuple(given)
    if not columns or not all(isinstance(name, str) for name in columns):
        raise UserErrorException(f"{what}: columns must be one name or several, got {given!r}.")
    if len(set(columns)) < len(columns):
        raise UserErrorException(f"{what}: a column stands twice in {given!r}.")
    return columns


def _moment(value: object, what: str) -> datetime:
    if not isinstance(value, datetime):
        raise UserErrorException(f"{what}: expected a datetime, got {value!r}.")
    return value

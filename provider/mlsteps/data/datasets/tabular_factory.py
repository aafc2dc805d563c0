"""``Dataset.Tabular``: makes TabularDatasets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlsteps.data.datasets.column_types import ColumnType, named_types
from mlsteps.data.datasets.definition import (
    Definition,
    DelimitedReader,
    JsonLinesReader,
    ParquetReader,
    QueryReader,
    QuerySource,
    TableFileReader,
)
from mlsteps.data.datasets.encodings import check_encoding
from mlsteps.data.datasets.headers import PromoteHeadersBehavior, header_name
from mlsteps.data.datasets.partitions import partition_format as parsed
from mlsteps.data.datasets.sources import sources_of
from mlsteps.data.datasets.tabular_dataset import TabularDataset
from mlsteps.data.datastore import Datastore
from mlsteps.data.names import is_text
from mlsteps.data.reference import DataPath
from mlsteps.exceptions import UserErrorException


class TabularDatasetFactory:
    """Makes TabularDatasets. (SDK v1: ``azureml.data.dataset_factory.TabularDatasetFactory``.)

    Of all methods: ``path`` is ``datastore.path(...)``, a ``DataPath``, ``(datastore, path)`` or an https
    URL, or a list of those; on a datastore it is a file, a folder, or a pattern with ``*``, ``?``, ``**``.
    ``validate`` is accepted for SDK v1, which looks at the data here: a DAG file must parse without network,
    so what is wrong with the data is an error when it is first used, always. ``include_path`` adds a column
    ``Path`` with the path on the datastore; ``partition_format``, such as
    ``"/{country}/{day:yyyy/MM/dd}/*.csv"``, adds columns from the paths, from the first column to the path's
    end. ``set_column_types`` maps names of columns to ``DataType.to_...()``.
    """

    @staticmethod
    def from_delimited_files(
        path: Any,
        validate: bool = True,
        include_path: bool = False,
        infer_column_types: bool = True,
        set_column_types: Mapping[str, ColumnType] | None = None,
        separator: str = ",",
        header: bool | PromoteHeadersBehavior = True,
        partition_format: str | None = None,
        support_multi_line: bool = False,
        empty_as_string: bool = False,
        encoding: str = "utf8",
    ) -> TabularDataset:
        """Rows of delimited files, such as CSV; nothing is read.

        :param infer_column_types: Give columns the type that their values have: truth values, numbers,
            datetimes; of several files the first with values in a column settles it. False: all are texts.
        :param separator: What stands between values.
        :param header: Whether each file's first line has the names of the columns, or a
            :class:`PromoteHeadersBehavior`.
        :param support_multi_line: Accepted for SDK v1: a line break in quotes always belongs to the value.
        :param empty_as_string: Whether an empty text is a text, and not a missing value.
        :param encoding: utf8, utf8bom, iso88591, latin1, ascii, utf16, utf32 or windows1252.
        """
        what = "from_delimited_files"
        if not is_text(separator):
            raise UserErrorException(f"{what}: separator must be a text, got {separator!r}.")
        reader = DelimitedReader(
            header=header_name(header),
            separator=separator,
            encoding=check_encoding(encoding, what),
            infer_column_types=bool(infer_column_types),
            types=named_types(set_column_types, what),
            include_path=bool(include_path),
            partition_format=partition_format,
            empty_as_string=bool(empty_as_string),
        )
        return _of_files(path, reader, what)

    @staticmethod
    def from_json_lines_files(
        path: Any,
        validate: bool = True,
        include_path: bool = False,
        set_column_types: Mapping[str, ColumnType] | None = None,
        partition_format: str | None = None,
        invalid_lines: str = "error",
        encoding: str = "utf8",
    ) -> TabularDataset:
        """Rows of files with a JSON object a line; nothing is read. Values keep their JSON types.

        :param invalid_lines: ``error``, or ``drop`` to leave lines out that are no JSON object.
        """
        what = "from_json_lines_files"
        if invalid_lines not in ("error", "drop"):
            raise UserErrorException(f"{what}: invalid_lines is 'error' or 'drop', got {invalid_lines!r}.")
        types = named_types(set_column_types, what)
        reader = JsonLinesReader(
            invalid_lines, check_encoding(encoding, what), types, bool(include_path), partition_format
        )
        return _of_files(path, reader, what)

    @staticmethod
    def from_parquet_files(
        path: Any,
        validate: bool = True,
        include_path: bool = False,
        set_column_types: Mapping[str, ColumnType] | None = None,
        partition_format: str | None = None,
    ) -> TabularDataset:
        """Rows of Parquet files; nothing is read."""
        types = named_types(set_column_types, "from_parquet_files")
        reader = ParquetReader(types, bool(include_path), partition_format)
        return _of_files(path, reader, "from_parquet_files")

    @staticmethod
    def from_sql_query(
        query: Any,
        validate: bool = True,
        set_column_types: Mapping[str, ColumnType] | None = None,
        query_timeout: float | None = 30,
    ) -> TabularDataset:
        """The rows that a query gives; it is not run here.

        :param query: ``(datastore, "SELECT ...")``, or ``DataPath(datastore, "SELECT ...")``.
        :param query_timeout: Seconds; None or 0 is no limit.
        """
        datastore, text = _query(query)
        limit: object = query_timeout
        if limit is not None and (not isinstance(limit, (int, float)) or limit < 0):
            raise UserErrorException(f"from_sql_query: query_timeout is in seconds, got {query_timeout!r}.")
        source = QuerySource(datastore.declared_name, text, float(query_timeout) if query_timeout else None)
        reader = QueryReader(named_types(set_column_types, "from_sql_query"))
        return TabularDataset(Definition((source,), reader), datastore.workspace)

    @staticmethod
    def register_pandas_dataframe(
        dataframe: Any,
        target: Any,
        name: str,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        show_progress: bool = True,
        row_group_size: int | None = None,
        make_target_path_unique: bool = True,
    ) -> TabularDataset:
        """Write a ``DataFrame`` to a datastore as Parquet; register that as the next version of ``name``.

        :param target: A ``DataPath``, ``Datastore``, or ``(datastore, path)``: the folder to write to.
        :param row_group_size: Rows in a group of the Parquet file; default: the writer's.
        :param make_target_path_unique: Write to a new folder in ``target``; otherwise to ``target`` itself,
            which must be empty.
        """
        from mlsteps.data.datasets.writing import register_pandas_dataframe

        return register_pandas_dataframe(
            dataframe,
            target,
            name,
            description=description,
            tags=tags,
            show_progress=show_progress,
            row_group_size=row_group_size,
            unique=make_target_path_unique,
        )


def _of_files(path: Any, reader: TableFileReader, what: str) -> TabularDataset:
    if reader.partition_format is not None:
        parsed(reader.partition_format)
    sources, workspace = sources_of(path, f"Dataset.Tabular.{what}")
    return TabularDataset(Definition(sources, reader), workspace)


def _query(given: Any) -> tuple[Datastore, str]:
    if isinstance(given, DataPath) and given.datastore is not None:
        given = given.datastore, given.text
    if isinstance(given, tuple) and len(given) == 2:
        datastore, text = given
        if isinstance(datastore, Datastore) and isinstance(text, str) and text.strip():
            return datastore, text
    raise UserErrorException(
        f"from_sql_query: query must be a tuple (datastore, 'SELECT ...') or a DataPath, got {given!r}."
    )

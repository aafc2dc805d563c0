"""What a dataset is, as a value: where its data lies, how it is read, and what is done to it then.

A definition is plain JSON with a version, so that it travels in arguments, records and the registry. Nothing
is read to make one.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

from mlsteps.data.datasets.column_types import ColumnType
from mlsteps.data.datasets.expressions import Tree
from mlsteps.data.datasets.plain import from_plain, plain, to_plain
from mlsteps.exceptions import UserErrorException

VERSION = 1
# Ids are made from this and the definition: never change it.
_NAMESPACE = uuid.UUID("5b3c0f0e-53a5-4d0b-9a54-2f6d7c1c1f10")


# Where data lies


@plain("path")
@dataclass(frozen=True)
class PathSource:
    """A file, folder or pattern on a datastore; None is the workspace's default one."""

    datastore: str | None
    path: str


@plain("url")
@dataclass(frozen=True)
class UrlSource:
    """One file on the web."""

    url: str


@plain("query")
@dataclass(frozen=True)
class QuerySource:
    """Rows of a database. ``timeout`` is in seconds."""

    datastore: str | None
    query: str
    timeout: float | None = None


@plain("converted")
@dataclass(frozen=True)
class ConvertedSource:
    """The rows of a tabular dataset as files; ``format`` is ``csv`` or ``parquet``."""

    dataset: Definition
    format: str
    separator: str = ","


Source = PathSource | UrlSource | QuerySource | ConvertedSource


# How it is read

NamedTypes = tuple[tuple[str, ColumnType], ...]


@plain("files")
@dataclass(frozen=True)
class FilesReader:
    """Files as they are. ``is_file``: the path must be one file."""

    partition_format: str | None = None
    is_file: bool = False


@plain("delimited")
@dataclass(frozen=True)
class DelimitedReader:
    """Text with a row a line. ``header`` is the name of a PromoteHeadersBehavior."""

    header: str
    separator: str = ","
    encoding: str = "utf8"
    infer_column_types: bool = True
    types: NamedTypes = ()
    include_path: bool = False
    partition_format: str | None = None
    empty_as_string: bool = False


@plain("json_lines")
@dataclass(frozen=True)
class JsonLinesReader:
    """A JSON object a line. ``invalid_lines`` is ``error`` or ``drop``."""

    invalid_lines: str = "error"
    encoding: str = "utf8"
    types: NamedTypes = ()
    include_path: bool = False
    partition_format: str | None = None


@plain("parquet")
@dataclass(frozen=True)
class ParquetReader:
    """Parquet files."""

    types: NamedTypes = ()
    include_path: bool = False
    partition_format: str | None = None


@plain("rows")
@dataclass(frozen=True)
class QueryReader:
    """The rows that a query gives."""

    types: NamedTypes = ()


TableFileReader = DelimitedReader | JsonLinesReader | ParquetReader
Reader = FilesReader | TableFileReader | QueryReader


# What is done to its files or rows


@plain("skip")
@dataclass(frozen=True)
class Skip:
    """All but the first ``count``."""

    count: int


@plain("take")
@dataclass(frozen=True)
class Take:
    """The first ``count``."""

    count: int


@plain("sample")
@dataclass(frozen=True)
class Sample:
    """Each with this probability; ``rest`` are those that the sample leaves out."""

    probability: float
    seed: int
    rest: bool = False


@plain("filter")
@dataclass(frozen=True)
class Filter:
    """Those for which an expression is true."""

    expression: Tree


@plain("keep_columns")
@dataclass(frozen=True)
class KeepColumns:
    """These columns, in this order."""

    columns: tuple[str, ...]


@plain("drop_columns")
@dataclass(frozen=True)
class DropColumns:
    """All but these columns."""

    columns: tuple[str, ...]


@plain("timestamps")
@dataclass(frozen=True)
class Timestamps:
    """Says which columns hold the time; changes no row."""

    timestamp: str | None = None
    partition_timestamp: str | None = None


Transform = Skip | Take | Sample | Filter | KeepColumns | DropColumns | Timestamps


@plain("dataset")
@dataclass(frozen=True)
class Definition:
    """A dataset, as a value: equal definitions are the same data read in the same way."""

    sources: tuple[Source, ...]
    reader: Reader
    transforms: tuple[Transform, ...] = ()

    @property
    def is_tabular(self) -> bool:
        """Whether it is rows, rather than files."""
        return not isinstance(self.reader, FilesReader)

    @property
    def partition_format(self) -> str | None:
        """How values are read off the files' paths."""
        return None if isinstance(self.reader, QueryReader) else self.reader.partition_format

    @property
    def id(self) -> str:
        """A UUID made from the content: the same on every machine and after every parse of a DAG file."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return str(uuid.uuid5(_NAMESPACE, text))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, which :meth:`from_json` reads."""
        return {"version": VERSION, **to_plain(self)}

    @staticmethod
    def from_json(value: Any) -> Definition:
        """The definition that :meth:`to_json` wrote.

        :raises UserErrorException: it is no definition, or one of a newer mlsteps.
        """
        version = value.get("version") if isinstance(value, dict) else None
        if not isinstance(version, int) or version > VERSION:
            raise UserErrorException(
                f"This is no dataset definition of a version up to {VERSION}: upgrade mlsteps if a newer one "
                f"wrote it."
            )
        made = from_plain({name: part for name, part in value.items() if name != "version"})
        if not isinstance(made, Definition):
            raise UserErrorException(f"Expected a dataset's definition, found {type(made).__name__}.")
        return made

"""Rows written as files: what ``to_csv_files`` and ``to_parquet_files`` stand for, and partitions."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.data.datasets.column_types import ColumnType
from mlsteps.data.datasets.libraries import pandas, parquet
from mlsteps.data.datasets.tables import frames_of
from mlsteps.data.stores.folder import FolderStore
from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.data.datasets.definition import ConvertedSource, Definition
    from mlsteps.data.datastore import DatastoreOwner

# pandas' kinds of columns.
_COLUMN_TYPES = {"i": "long", "u": "long", "f": "float", "b": "bool", "M": "datetime"}


class _Temporary(FolderStore):
    """A folder that goes when nobody holds the store any more."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mlsteps-dataset-")
        super().__init__(self._folder.name)


def converted(source: ConvertedSource, workspace: DatastoreOwner | None) -> FolderStore:
    """The rows of a dataset as files ``part-00000.csv``, one for each file that has rows."""
    store = _Temporary()
    store.root.mkdir(exist_ok=True)
    number, empty = 0, None
    for frame in frames_of(source.dataset, workspace):
        if len(frame):
            _write(frame, store.root / f"part-{number:05}.{source.format}", source)
            number += 1
        else:
            empty = frame
    if not number and empty is not None:
        _write(empty, store.root / f"part-00000.{source.format}", source)
    return store


def write_parquet(frame: Any, target: Path, row_group_size: int | None = None) -> None:
    """Write a frame's columns, without its index.

    :param row_group_size: Rows in a group; default: the writer's.
    """
    parquet()
    frame.to_parquet(target, engine="pyarrow", index=False, row_group_size=row_group_size)


def write_partitions(
    definition: Definition, workspace: DatastoreOwner | None, keys: Sequence[str], folder: Path
) -> dict[str, ColumnType]:
    """Write rows as ``<value of each key>/part-00000.parquet`` below ``folder``; the keys' types.

    :raises UserErrorException: a key is no column, or has values that cannot be a folder's name.
    """
    types: dict[str, ColumnType] = {}
    for number, frame in enumerate(frames_of(definition, workspace)):
        for key in keys:
            if key not in frame.columns:
                raise UserErrorException(
                    f"partition_by: there is no column {key!r}; there is {', '.join(frame.columns)}."
                )
            kind = _COLUMN_TYPES.get(frame[key].dtype.kind, "string")
            known = types.get(key, ColumnType(kind)).name
            if kind != known:  # integers are floats in a file where some are missing
                kind = "float" if {kind, known} == {"long", "float"} else "string"
            types[key] = ColumnType(kind)
        for values, part in frame.groupby(list(keys), dropna=False, sort=True):
            place = folder.joinpath(*map(_folder_name, keys, values))
            place.mkdir(parents=True, exist_ok=True)
            write_parquet(part.drop(columns=list(keys)), place / f"part-{number:05}.parquet")
    return types


def _folder_name(key: str, value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # as in files where no value is missing, which makes floats of integers
    text = "" if pandas().isna(value) else str(value)
    if not text or "/" in text or text in (".", ".."):
        raise UserErrorException(
            f"partition_by: {value!r} in the column {key!r} cannot be a folder's name; leave such rows out "
            f"with filter, or choose another column."
        )
    return text


def _write(frame: Any, target: Path, source: ConvertedSource) -> None:
    if source.format == "parquet":
        write_parquet(frame, target)
    else:
        frame.to_csv(target, sep=source.separator, index=False)

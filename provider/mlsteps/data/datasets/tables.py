"""The rows of a tabular dataset: read file by file, given types, then transformed."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any

from mlsteps.data.datasets.definition import (
    Definition,
    DelimitedReader,
    DropColumns,
    Filter,
    JsonLinesReader,
    KeepColumns,
    ParquetReader,
    QueryReader,
    QuerySource,
    Sample,
    Skip,
    Take,
    Transform,
)
from mlsteps.data.datasets.delimited import delimited_frames
from mlsteps.data.datasets.expressions import columns_of, evaluate
from mlsteps.data.datasets.files import DatasetFile, dataset_files
from mlsteps.data.datasets.json_lines import json_lines_frames
from mlsteps.data.datasets.libraries import pandas
from mlsteps.data.datasets.parquet_files import parquet_frames
from mlsteps.data.datasets.sql import read_query
from mlsteps.data.datasets.typing_columns import ColumnTyping
from mlsteps.data.datastore import DatastoreOwner
from mlsteps.exceptions import UserErrorException

PATH_COLUMN = "Path"


def frames_of(
    definition: Definition,
    workspace: DatastoreOwner | None,
    on_error: str = "null",
    out_of_range_datetime: str = "null",
) -> Iterator[Any]:
    """The rows of a tabular definition as pandas frames, a file at a time.

    :param on_error: ``null`` or ``fail``: what becomes of values that are not of their column's type.
    :param out_of_range_datetime: The same for dates that pandas cannot hold.
    """
    reader = definition.reader
    typing = ColumnTyping(
        getattr(reader, "types", ()),
        infer=isinstance(reader, DelimitedReader) and reader.infer_column_types,
        on_error=on_error,
        out_of_range=out_of_range_datetime,
        complete=not isinstance(reader, JsonLinesReader),
    )
    frames = _read(definition, workspace, typing)
    for transform in definition.transforms:
        frames = _transformed(frames, transform)
    return frames


def whole(frames: Iterable[Any]) -> Any:
    """All frames as one."""
    pd = pandas()
    empty, filled = pd.DataFrame(), []
    for frame in frames:
        if len(frame):
            filled.append(frame)
        elif not len(empty.columns):
            empty = frame
    return pd.concat(filled, ignore_index=True) if filled else empty.reset_index(drop=True)


def _read(definition: Definition, workspace: DatastoreOwner | None, typing: ColumnTyping) -> Iterator[Any]:
    reader = definition.reader
    if isinstance(reader, QueryReader):
        source = definition.sources[0]
        assert isinstance(source, QuerySource)
        yield typing.typed(read_query(source, workspace), {}, "The query")
        return
    files = _needed(definition, dataset_files(definition, workspace))
    if isinstance(reader, DelimitedReader):
        frames = delimited_frames(files, reader)
    elif isinstance(reader, JsonLinesReader):
        frames = json_lines_frames(files, reader)
    else:
        frames = parquet_frames(files)
    assert isinstance(reader, (DelimitedReader, JsonLinesReader, ParquetReader))
    for file, frame in frames:
        extra = {PATH_COLUMN: f"/{file.info.path}"} if reader.include_path else {}
        yield typing.typed(frame, {**extra, **file.values}, file.store.url(file.info.path))


def _needed(definition: Definition, files: Iterator[DatasetFile]) -> Iterator[DatasetFile]:
    """The files that the first filters do not exclude by their path alone; one of them in any case."""
    typed = {name for name, _ in getattr(definition.reader, "types", ())}
    first_filters = takewhile(lambda transform: isinstance(transform, Filter), definition.transforms)
    conditions = [f.expression for f in first_filters if isinstance(f, Filter)]
    passed, excluded = False, None
    for file in files:
        known = file.values.keys() - typed
        decisive = [tree for tree in conditions if (columns := columns_of(tree)) and columns <= known]
        if all(evaluate(tree, file.values) for tree in decisive):
            passed = True
            yield file
        else:
            excluded = file
    if not passed and excluded is not None:
        yield excluded  # for its columns: its rows go when the filters see them


def _transformed(frames: Iterator[Any], transform: Transform) -> Iterator[Any]:
    if isinstance(transform, Skip):
        return _skipped(frames, transform.count)
    if isinstance(transform, Take):
        return _taken(frames, transform.count)
    if isinstance(transform, Sample):
        return _sampled(frames, transform)
    if isinstance(transform, Filter):
        return (_filtered(frame, transform) for frame in frames)
    if isinstance(transform, KeepColumns):
        columns = list(transform.columns)
        return (frame[_known(columns, frame, "keep_columns")] for frame in frames)
    if isinstance(transform, DropColumns):
        columns = list(transform.columns)
        return (frame.drop(columns=_known(columns, frame, "drop_columns")) for frame in frames)
    return frames


def _skipped(frames: Iterator[Any], count: int) -> Iterator[Any]:
    for frame in frames:
        yield frame.iloc[count:]
        count = max(0, count - len(frame))


def _taken(frames: Iterator[Any], count: int) -> Iterator[Any]:
    for frame in frames:
        yield frame.iloc[:count]
        count -= len(frame)
        if count <= 0:  # before the next file is read
            return


def _sampled(frames: Iterator[Any], sample: Sample) -> Iterator[Any]:
    # Python's generator gives the same numbers in every version of every library.
    draw = random.Random(sample.seed).random
    for frame in frames:
        yield frame[[(draw() < sample.probability) != sample.rest for _ in range(len(frame))]]


def _filtered(frame: Any, transform: Filter) -> Any:
    found = evaluate(transform.expression, frame)
    if not hasattr(found, "isna"):
        raise UserErrorException("filter: the expression compares no column; write dataset['column'] > 3.")
    return frame[found == True]  # noqa: E712 - element by element, missing is false


def _known(columns: list[str], frame: Any, what: str) -> list[str]:
    for name in columns:
        if name not in frame.columns:
            there = ", ".join(map(str, frame.columns))
            raise UserErrorException(f"{what}: there is no column {name!r}; there is {there or 'none'}.")
    return columns

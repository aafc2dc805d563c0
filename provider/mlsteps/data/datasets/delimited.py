"""Delimited files as columns of texts; types come later."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from mlsteps.data.datasets.definition import DelimitedReader
from mlsteps.data.datasets.encodings import CODECS, NAMES
from mlsteps.data.datasets.files import DatasetFile
from mlsteps.data.datasets.libraries import pandas
from mlsteps.exceptions import UserErrorException


def delimited_frames(
    files: Iterable[DatasetFile], reader: DelimitedReader
) -> Iterator[tuple[DatasetFile, Any]]:
    """Each file with its rows as a pandas frame of texts, all frames with the same columns.

    :raises UserErrorException: a file is not of this form, or its header differs from the first one's.
    """
    columns: list[str] | None = None
    if reader.header == "COMBINE_ALL_FILES_HEADERS":
        files = list(files)
        heads = (_head(file, reader) for file in files)
        columns = list(dict.fromkeys(chain.from_iterable(_names(head) for head in heads if head is not None)))
    for file in files:
        frame = _texts(file, reader)
        if frame is None:
            continue
        has_header = reader.header in ("ALL_FILES_HAVE_SAME_HEADERS", "COMBINE_ALL_FILES_HEADERS") or (
            reader.header == "ONLY_FIRST_FILE_HAS_HEADERS" and columns is None
        )
        if has_header:
            frame.columns = _names(frame)
            frame = frame.iloc[1:]
        elif columns is None:
            frame.columns = [f"Column{number}" for number in range(1, frame.shape[1] + 1)]
        elif frame.shape[1] == len(columns):
            frame.columns = columns
        else:
            raise UserErrorException(
                f"{_place(file)} has {frame.shape[1]} columns, the files before it have {len(columns)}."
            )
        if columns is None:
            columns = list(frame.columns)
        elif reader.header == "COMBINE_ALL_FILES_HEADERS":
            frame = frame.reindex(columns=columns)
        elif set(frame.columns) != set(columns):
            raise UserErrorException(
                f"{_place(file)} has the columns {', '.join(frame.columns)}, the files before it have "
                f"{', '.join(columns)}. If they may differ, pass "
                f"header=PromoteHeadersBehavior.COMBINE_ALL_FILES_HEADERS."
            )
        frame = frame[columns]
        yield file, frame if reader.empty_as_string else frame.where(frame != "", None)


def _names(frame: Any) -> list[str]:
    """Column names from the first row: blank ones are numbered, repeated ones get a number."""
    names: list[str] = []
    for number, value in enumerate(frame.iloc[0], 1):
        name = base = value if isinstance(value, str) and value.strip() else f"Column{number}"
        repeat = 0
        while name in names:
            repeat += 1
            name = f"{base}_{repeat}"
        names.append(name)
    return names


def _head(file: DatasetFile, reader: DelimitedReader) -> Any:
    return _texts(file, reader, rows=1)


def _texts(file: DatasetFile, reader: DelimitedReader, rows: int | None = None) -> Any:
    """The file's rows, header included, as texts; None for an empty file."""
    pd = pandas()
    single = len(reader.separator) == 1
    try:
        with file.store.open(file.info.path) as stream:
            return pd.read_csv(
                stream,
                sep=reader.separator if single else re.escape(reader.separator),
                engine="c" if single else "python",
                encoding=CODECS[reader.encoding],
                header=None,
                dtype=str,
                keep_default_na=False,
                na_filter=False,
                nrows=rows,
            )
    except pd.errors.EmptyDataError:
        return None
    except UnicodeError as error:
        raise UserErrorException(
            f"{_place(file)} is not text in the encoding {reader.encoding}: {error}. Pass encoding=, one of "
            f"{NAMES}."
        ) from error
    except pd.errors.ParserError as error:
        raise UserErrorException(
            f"{_place(file)} is not delimited text with the separator {reader.separator!r}: {error}"
        ) from error


def _place(file: DatasetFile) -> str:
    return file.store.url(file.info.path)

"""JSON lines files as pandas frames: one object a line, its keys are the columns."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterable, Iterator
from typing import Any

from mlsteps.data.datasets.definition import JsonLinesReader
from mlsteps.data.datasets.encodings import CODECS, NAMES
from mlsteps.data.datasets.files import DatasetFile
from mlsteps.data.datasets.libraries import pandas
from mlsteps.exceptions import UserErrorException

_LOG = logging.getLogger(__name__)


def json_lines_frames(
    files: Iterable[DatasetFile], reader: JsonLinesReader
) -> Iterator[tuple[DatasetFile, Any]]:
    """Each file with its rows; values keep their JSON types.

    :raises UserErrorException: a line is no JSON object, unless such lines are dropped.
    """
    for file in files:
        rows = _rows(file, reader)
        columns = list(dict.fromkeys(name for row in rows for name in row))
        yield file, pandas().DataFrame.from_records(rows, columns=columns)


def _rows(file: DatasetFile, reader: JsonLinesReader) -> list[dict[str, Any]]:
    place = file.store.url(file.info.path)
    rows, dropped = [], 0
    try:
        with (
            file.store.open(file.info.path) as stream,
            io.TextIOWrapper(stream, encoding=CODECS[reader.encoding]) as text,
        ):
            for number, line in enumerate(text, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except ValueError as error:
                    row = error
                if isinstance(row, dict):
                    rows.append(row)
                elif reader.invalid_lines == "drop":
                    dropped += 1
                else:
                    problem = row if isinstance(row, ValueError) else f"found {type(row).__name__}"
                    raise UserErrorException(
                        f"{place}, line {number} is no JSON object: {problem}. Pass invalid_lines='drop' to "
                        f"leave such lines out."
                    )
    except UnicodeError as error:
        raise UserErrorException(
            f"{place} is not text in the encoding {reader.encoding}: {error}. Pass encoding=, one of {NAMES}."
        ) from error
    if dropped:
        _LOG.warning("%s: %d lines that are no JSON objects were left out", place, dropped)
    return rows

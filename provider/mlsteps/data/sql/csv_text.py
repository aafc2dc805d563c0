"""The CSV that mlsteps writes and reads: RFC 4180, UTF-8, a header, comma, CRLF.

A NULL is an empty field (``a,,b``), an empty text a quoted one (``a,"",b``), as PostgreSQL has it; pandas
takes both for missing. In a file of one column a NULL is an empty line, which pandas leaves out.
Values: ``true`` and ``false``, ``2024-01-31 13:05:00.000000`` (an instant with ``Z`` at its end), bytes as
base64.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_types = pa.types
LINE_END = "\r\n"


def header_line(schema: pa.Schema) -> bytes:
    """The line of column names."""
    return (",".join(_quoted(pa.array(schema.names, pa.string())).to_pylist()) + LINE_END).encode()


def lines(batch: pa.RecordBatch) -> bytes:
    """The lines of a batch."""
    if not batch.num_rows:
        return b""
    fields = [pc.fill_null(_quoted(_as_text(column)), "") for column in batch.columns]
    joined = pc.binary_join_element_wise(*fields, ",") if len(fields) > 1 else fields[0]
    return (LINE_END.join(joined.to_pylist()) + LINE_END).encode()


def parse(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Fields of a file as values of ``kind``.

    :raises pyarrow.ArrowInvalid: one is none.
    """
    if _types.is_time(kind):
        return _each(texts, kind, datetime.time.fromisoformat)
    if _types.is_binary(kind):
        return _each(texts, kind, _from_base64)
    return texts.cast(kind)


def culprit(texts: pa.Array, kind: pa.DataType) -> tuple[int, str | None]:
    """The first field that is no value of ``kind``, and its position."""
    for position in range(len(texts)):
        try:
            parse(texts.slice(position, 1), kind)
        except pa.ArrowException:
            return position, texts[position].as_py()
    return 0, None


def _each(texts: pa.Array, kind: pa.DataType, read: Callable[[str], Any]) -> pa.Array:
    try:
        return pa.array([None if text is None else read(text) for text in texts.to_pylist()], kind)
    except ValueError as error:
        raise pa.ArrowInvalid(str(error)) from None


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _as_text(column: pa.Array) -> pa.Array:
    if _types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _types.is_binary(column.type):
        encoded = [None if v is None else base64.b64encode(v).decode() for v in column.to_pylist()]
        return pa.array(encoded, pa.string())
    return column.cast(pa.string())


def _quoted(texts: pa.Array) -> pa.Array:
    special = pc.or_(pc.match_substring_regex(texts, '[",\r\n]'), pc.equal(texts, ""))
    inside = pc.replace_substring(texts, '"', '""')
    return pc.if_else(special, pc.binary_join_element_wise('"', inside, '"', ""), texts)

"""From texts to typed columns, as SDK v1 does it: a value that does not fit its column becomes missing."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

from mlsteps.data.datasets.column_types import ColumnType
from mlsteps.data.datasets.libraries import pandas

_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")
# Tried in turn; of a date with slashes the month is first, unless it could be the day as well.
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y")
_TIMES = ("", "{}%H:%M:%S", "{}%H:%M:%S.%f", "{}%H:%M", "{}%H:%M:%S%z", "{}%H:%M:%S.%f%z")
_FORMATS = tuple(
    date + time.format(gap) for date in _DATES for time in _TIMES for gap in ((" ", "T") if time else ("",))
)
_MONTH_FIRST = tuple(form for form in _FORMATS if not form.startswith("%d"))
_FIRST, _LAST = datetime(1677, 9, 22), datetime(2262, 4, 11)  # what 64 bits of nanoseconds hold


class Converted:
    """A converted column.

    :param values: The pandas column; what could not be converted is missing.
    :param wrong: True where a value was there and could not be converted.
    :param out_of_range: True where it is a date that pandas cannot hold.
    """

    def __init__(self, values: Any, wrong: Any, out_of_range: Any = None) -> None:
        self.values = values
        self.wrong = wrong
        self.out_of_range = out_of_range


def infer(texts: Any) -> tuple[ColumnType, Converted] | None:
    """The type that all values of a column of texts have, and the column in it; None if there is no value.

    ``number`` is a type that takes integers and fractions alike.
    """
    given = texts.dropna()
    given = given[given != ""]
    if given.empty:
        return None
    first = str(given.iloc[0]).strip()
    kind = ColumnType("string")
    if first.lower() in ("true", "false"):
        if given.str.lower().isin(["true", "false"]).all():
            kind = ColumnType("bool")
    elif re.match(r"[+-]?(\d|\.\d|nan$|inf)", first, re.IGNORECASE):
        numbers = convert(texts, ColumnType("number"))
        if not numbers.wrong.any():
            return ColumnType("number"), numbers
        forms = _fitting(given)
        # 01/02/2020 alone says not which is the day.
        if len({form[:2] for form in forms}) == 1:
            kind = ColumnType("datetime", formats=forms)
    return kind, convert(texts, kind)


def convert(column: Any, kind: ColumnType) -> Converted:
    """A column of texts, or of values that were read as something else, in the type ``kind``."""
    texts = as_texts(column)
    if kind.name == "string":
        return Converted(texts, texts.isna() & False)
    texts = texts.where(texts != "", None)
    if kind.name == "bool":
        return _flags(texts)
    if kind.name == "datetime":
        return _moments(column if column.dtype.kind == "M" else texts, kind.formats)
    if kind.decimal_mark == ",":
        texts = texts.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    found = _numbers(texts)
    if kind.name == "long":
        whole = found.values.isna() | (found.values % 1 == 0)
        values = found.values.where(whole)
        return Converted(values if values.isna().any() else values.astype("int64"), found.wrong | ~whole)
    if kind.name == "float":
        return Converted(found.values.astype("float64"), found.wrong)
    return found


def as_texts(column: Any) -> Any:
    """A column as texts; missing values stay missing."""
    pd = pandas()
    if pd.api.types.is_string_dtype(column.dtype) and column.dtype != object:
        return column
    return column.map(_text, na_action="ignore").astype("str" if pd.__version__ >= "3" else object)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _numbers(texts: Any) -> Converted:
    values = pandas().to_numeric(texts.astype(object), errors="coerce")
    if values.dtype.kind not in "if":
        values = values.astype("float64")
    # Integers beyond 64 bits, such as long identifiers, are texts: a float would change them.
    long = texts[texts.str.len() >= 19]
    too_long = long[long.str.fullmatch(r"\s*[+-]?\d{19,}\s*")]
    if not too_long.empty:
        values = values.astype("float64").mask(texts.index.isin(too_long.index))
    wrong = texts.notna() & values.isna()
    if wrong.any():
        wrong &= texts.str.lower() != "nan"
    return Converted(values, wrong)


def _flags(texts: Any) -> Converted:
    lower = texts.str.strip().str.lower()
    known = lower.isin([*_TRUE, *_FALSE])
    values = lower.isin(_TRUE)
    if not known.all():
        values = values.astype(object).where(known, None)
    return Converted(values, texts.notna() & ~known)


def _moments(column: Any, formats: tuple[str, ...]) -> Converted:
    pd = pandas()
    if column.dtype.kind == "M" or hasattr(column.dtype, "tz"):
        moments = column.dt.tz_convert("UTC").dt.tz_localize(None) if hasattr(column.dtype, "tz") else column
        outside = moments.notna() & ~moments.between(_FIRST, _LAST)
        return Converted(moments.mask(outside).astype("datetime64[ns]"), outside & False, outside)
    forms = formats or _fitting(column.dropna()) or _MONTH_FIRST
    values = pd.Series(pd.NaT, index=column.index, dtype="datetime64[ns]")
    wrong, outside = column.notna(), column.notna() & False
    for form in forms:
        if not wrong.any():
            break
        parsed = pd.to_datetime(column[wrong], format=form, errors="coerce", utc=True)
        parsed = parsed.dt.tz_localize(None)
        good = parsed[parsed.notna() & parsed.between(_FIRST, _LAST)]
        values.loc[good.index] = good.astype("datetime64[ns]")
        wrong.loc[good.index] = False
    for index, text in column[wrong].items():
        if any(_is_date(text, form) for form in forms):
            wrong.loc[index], outside.loc[index] = False, True
    return Converted(values, wrong, outside)


def _fitting(given: Any) -> tuple[str, ...]:
    """The formats that the values have; one order of year, month and day after the other that fits all."""
    found: tuple[str, ...] = ()
    for date in _DATES:
        found += tuple(_used([form for form in _FORMATS if form.startswith(date)], given))
    return found


def _used(forms: list[str], given: Any) -> list[str]:
    """Those of ``forms`` that the values have; none if a value has none of them."""
    used: list[str] = []
    rest = given
    while not rest.empty:
        form = next((form for form in forms if _is_date(rest.iloc[0], form)), None)
        if form is None:
            return []
        used.append(form)
        # The first one fits, though pandas may not be able to hold it.
        rest = rest.iloc[1:]
        rest = rest[pandas().to_datetime(rest, format=form, errors="coerce", utc=True).isna()]
    return list(dict.fromkeys(used))


def _is_date(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form).replace(tzinfo=timezone.utc)
    except ValueError:
        return False
    return True

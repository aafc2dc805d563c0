"""Gives the columns of one file after the other their types, and says which values did not fit."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mlsteps.data.datasets.column_types import ColumnType
from mlsteps.data.datasets.conversion import Converted, convert, infer
from mlsteps.data.datasets.definition import NamedTypes
from mlsteps.data.datasets.libraries import pandas
from mlsteps.exceptions import UserErrorException

_LOG = logging.getLogger(__name__)


class ColumnTyping:
    """The types of a dataset's columns. The first file that has values in a column settles an inferred one.

    :param types: The types that the user set.
    :param infer: Whether the other columns, which are texts, get the type that their values have.
    :param on_error: What becomes of a value that is not of its column's type: ``null`` makes it missing, with
        a warning; ``fail`` is an error.
    :param out_of_range: The same for dates that pandas cannot hold.
    :param complete: Whether each file has all columns; rows that are objects may leave some out.
    """

    def __init__(
        self, types: NamedTypes, *, infer: bool, on_error: str, out_of_range: str, complete: bool
    ) -> None:
        self._set = dict(types)
        self._inferred: dict[str, ColumnType] = {}
        self._infer = infer
        self._on_error = on_error
        self._out_of_range = out_of_range
        self._complete = complete

    def typed(self, frame: Any, extra: Mapping[str, Any], place: str) -> Any:
        """A frame with typed columns, after those in ``extra``, which hold one value each.

        :param place: Where the rows come from, for texts.
        """
        pd = pandas()
        columns = {name: pd.Series([value] * len(frame), index=frame.index) for name, value in extra.items()}
        for name in frame.columns:
            if name in extra:
                raise UserErrorException(
                    f"{place} has a column {name!r}, which include_path or partition_format makes too."
                )
            columns[name] = frame[name]
        self._check_names(list(columns), place)
        made = {name: self._column(name, column, name in extra, place) for name, column in columns.items()}
        return pd.DataFrame(made, index=frame.index)

    def _check_names(self, there: list[str], place: str) -> None:
        for name in self._set:
            if self._complete and name not in there:
                raise UserErrorException(
                    f"set_column_types names the column {name!r}, but {place} has {', '.join(there)}."
                )

    def _column(self, name: str, column: Any, is_extra: bool, place: str) -> Any:
        kind = self._set.get(name)
        if kind is None and self._infer and not is_extra:
            kind = self._inferred.get(name)
            if kind is None:
                found = infer(column)
                if found is None:
                    return column
                self._inferred[name], result = found
                return self._told(name, column, self._inferred[name], result, place)
        if kind is None:
            if column.dtype.kind != "M":
                return column
            kind = ColumnType("datetime")  # in one unit, and without a zone
        return self._told(name, column, kind, convert(column, kind), place)

    def _told(self, name: str, column: Any, kind: ColumnType, result: Converted, place: str) -> Any:
        self._tell(
            name,
            column[result.wrong],
            place,
            self._on_error,
            f"not of the type {kind.name}",
            f"set_column_types={{{name!r}: DataType.to_string()}} keeps them as they are",
        )
        if result.out_of_range is not None:
            self._tell(
                name,
                column[result.out_of_range],
                place,
                self._out_of_range,
                "before 1677 or after 2262, which pandas cannot hold",
                "out_of_range_datetime='null' makes them missing",
            )
        return result.values

    def _tell(self, name: str, values: Any, place: str, choice: str, problem: str, hint: str) -> None:
        if not len(values):
            return
        text = (
            f"{place}: values of the column {name!r} are {problem}: {len(values)}, the first of them "
            f"{values.iloc[0]!r}"
        )
        if choice == "fail":
            raise UserErrorException(f"{text}; {hint}.")
        _LOG.warning("%s, and missing in the result; %s", text, hint)

"""``partition_format``: columns that are read off the paths of files."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from mlsteps.data.names import is_text
from mlsteps.exceptions import UserErrorException

_TOKEN = re.compile(r"\{([^{}:]+)(?::([^{}]+))?\}|(\*)|([^{}*]+)")
_DATE_PARTS = {"yyyy": "year", "MM": "month", "dd": "day", "HH": "hour", "mm": "minute", "ss": "second"}
_DATE_TOKEN = re.compile("|".join(_DATE_PARTS) + "|.", re.DOTALL)


class PartitionFormat:
    """A format such as ``/{country}/{day:yyyy/MM/dd}/*.csv``.

    It starts where the first column does and goes on to the path's end. ``{name}`` is a text, ``{name:...}``
    with ``yyyy MM dd HH mm ss`` a datetime, ``*`` anything within a folder.

    :raises UserErrorException: it is no such format.
    """

    def __init__(self, text: str) -> None:
        if not is_text(text) or "".join(match[0] for match in _TOKEN.finditer(text)) != text:
            raise _wrong(text, "braces must be in pairs, each with a column's name")
        self.text = text
        self.columns: list[str] = []
        self._dates: dict[str, list[tuple[str, str]]] = {}
        pattern = ""
        for match in _TOKEN.finditer(text):
            name, form, star, literal = match.groups()
            if name is None:
                pattern += "[^/]*" if star else re.escape(literal)
                continue
            if name in self.columns:
                raise _wrong(text, f"{name!r} stands twice")
            self.columns.append(name)
            group = f"c{len(self.columns)}"
            pattern += self._date(name, group, form) if form else f"(?P<{group}>[^/]+)"
        if not self.columns:
            raise _wrong(text, "it names no column, as {country} does")
        self._pattern = re.compile(pattern, re.DOTALL)

    def _date(self, name: str, group: str, form: str) -> str:
        pattern, parts = "", []
        for index, token in enumerate(_DATE_TOKEN.findall(form)):
            part = _DATE_PARTS.get(token)
            if part is None:
                pattern += re.escape(token)
                continue
            parts.append((part, f"{group}_{index}"))
            pattern += rf"(?P<{group}_{index}>\d{{{len(token)}}})"
        if "year" not in [part for part, _ in parts]:
            raise _wrong(self.text, f"the datetime {name!r} needs a year, yyyy")
        self._dates[name] = parts
        return pattern

    def values(self, path: str) -> dict[str, str | datetime]:
        """The columns of the file at ``path``.

        :raises UserErrorException: the path is not of this format.
        """
        # Of several places where it could start, the first leaves nothing of the path out.
        match = re.search(f"(?:{self._pattern.pattern})\\Z", f"/{path.lstrip('/')}", re.DOTALL)
        if match is None:
            raise _wrong(
                self.text,
                f"the path {path!r} is not of this form from its first column to its end; a narrower path "
                f"or pattern leaves such files out",
            )
        found: dict[str, str | datetime] = {}
        for index, name in enumerate(self.columns, 1):
            if name in self._dates:
                found[name] = self._moment(name, path, match)
            else:
                found[name] = match[f"c{index}"]
        return found

    def _moment(self, name: str, path: str, match: re.Match[str]) -> datetime:
        parts = {part: int(match[group]) for part, group in self._dates[name]}
        try:
            return datetime(**{"month": 1, "day": 1, **parts})  # type: ignore[arg-type]
        except ValueError as error:
            raise _wrong(self.text, f"{name!r} in the path {path!r} is no date: {error}") from error


@lru_cache(maxsize=64)
def partition_format(text: str) -> PartitionFormat:
    """The format, compiled once."""
    return PartitionFormat(text)


def _wrong(text: object, problem: str) -> UserErrorException:
    return UserErrorException(f"partition_format {text!r}: {problem}.")

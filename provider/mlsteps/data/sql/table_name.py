"""TableName: the name of a table or procedure, with its schema, taken apart so that it is always quoted."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlsteps.exceptions import UserErrorException

# A part in quotes may hold anything, its closing quote doubled; one without may hold no dot and no quotes.
_PART = re.compile(r'"((?:[^"]|"")+)"|\[((?:[^\]]|\]\])+)\]|`((?:[^`]|``)+)`|([^."\[\]`]+)')


@dataclass(frozen=True)
class TableName:
    """A name as the database spells it. Statements quote it: case counts, and reserved words may be used.

    :param name: The table's or procedure's own name.
    :param schema: Its schema (MySQL: its database); None is the connection's default one.
    """

    name: str
    schema: str | None = None

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name

    @classmethod
    def parse(cls, text: str, what: str = "table") -> TableName:
        """The name that a user wrote: ``table``, ``schema.table``, ``[my schema].[a.b]``.

        :param what: Of which argument, for the error.
        :raises UserErrorException: it is not one or two names with a dot between them.
        """
        if not isinstance(text, str):
            raise UserErrorException(f"{what} must be a text, got {text!r}.")
        parts: list[str] = []
        position, complete = 0, False
        while found := _PART.match(text, position):
            double, bracket, tick, plain = found.groups()
            quoted = (double, '""', '"'), (bracket, "]]", "]"), (tick, "``", "`")
            part = plain.strip() if plain is not None else ""
            for inside, doubled, single in quoted:
                part = inside.replace(doubled, single) if inside is not None else part
            parts.append(part)
            position = found.end()
            complete = position == len(text)
            if text[position : position + 1] != ".":
                break
            position += 1
        if not complete or len(parts) > 2 or not all(parts) or "\0" in text:
            raise UserErrorException(
                f"{what} {text!r} is not a name or schema.name. Put a part that holds dots or quotes itself "
                f'into double quotes, as in sales."prices.2024".'
            )
        return cls(parts[-1], parts[0] if len(parts) == 2 else None)


def as_table_name(table: TableName | str) -> TableName:
    """``table``, taken apart if it is still a text."""
    return table if isinstance(table, TableName) else TableName.parse(table)

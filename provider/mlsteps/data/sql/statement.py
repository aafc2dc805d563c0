"""What is read from a database: a query, a table or a stored procedure, as statements of each database.

Values are always bound and names always quoted: nothing of a user is pasted into SQL but a query itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.sql.elements import quoted_name

from mlsteps.data.sql.databases import family, quoted
from mlsteps.data.sql.parameter import StoredProcedureParameter
from mlsteps.data.sql.table_name import TableName
from mlsteps.exceptions import UserErrorException


@dataclass(frozen=True)
class Query:
    """A query in the database's own SQL.

    :param parameters: Values for ``:name`` in the text, bound by the driver. Without any, the text reaches
        the database as it stands, colons and percent signs included.
    """

    text: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        words = " ".join(self.text.split())
        return f"query {words if len(words) <= 80 else words[:77] + '...'!r}"


@dataclass(frozen=True)
class Procedure:
    """A stored procedure, or a function of PostgreSQL that returns rows.

    :param parameters: By name; MySQL knows no names and takes them in this order.
    """

    name: TableName
    parameters: tuple[StoredProcedureParameter, ...] = ()

    def __str__(self) -> str:
        return f"stored procedure {str(self.name)!r}"


Source = Query | TableName | Procedure


@dataclass(frozen=True)
class Statement:
    """A statement to execute, and whether the server can hold its rows back until they are fetched."""

    clause: sa.Executable | str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    streams: bool = True


def described(source: Source) -> str:
    """What is read, for error messages."""
    return f"table {str(source)!r}" if isinstance(source, TableName) else str(source)


def statement_for(source: Source, connection: Connection) -> Statement:
    """The statement that reads ``source``.

    For a procedure of PostgreSQL this asks the database whether it is a function.

    :raises UserErrorException: the database has no stored procedures.
    """
    if isinstance(source, TableName):
        return Statement(sa.select(sa.text("*")).select_from(quoted_table(source)))
    if isinstance(source, Query):
        return _query(source)
    is_procedure = connection.dialect.name == "postgresql" and _is_procedure(source.name, connection)
    return call(source, connection.dialect, is_procedure=is_procedure)


def quoted_table(name: TableName, columns: tuple[str, ...] = ()) -> sa.TableClause:
    """A table whose names are quoted in every statement."""
    return sa.table(
        quoted_name(name.name, quote=True),
        *[sa.column(quoted_name(column, quote=True)) for column in columns],
        schema=quoted_name(name.schema, quote=True) if name.schema else None,
    )


def call(procedure: Procedure, dialect: Dialect, *, is_procedure: bool = False) -> Statement:
    """The statement that calls a stored procedure.

    :param is_procedure: For PostgreSQL: made by CREATE PROCEDURE, and not a function.
    :raises UserErrorException: the database has no stored procedures.
    """
    database = family(dialect)
    # What text() takes for a parameter has to be told that it is none.
    name = _colons_kept(quoted(database, procedure.name.schema, procedure.name.name))
    binds = [sa.bindparam(f"p{n}", type_=sa.types.NullType()) for n in range(len(procedure.parameters))]
    values = {f"p{n}": parameter.bound_value() for n, parameter in enumerate(procedure.parameters)}
    names = [parameter.name.lstrip("@") for parameter in procedure.parameters]
    if database == "mysql":
        return _called(f"CALL {name}({', '.join(f':{bind.key}' for bind in binds)})", binds, values)
    if database == "mssql":
        given = ", ".join(f"@{name} = :{bind.key}" for name, bind in zip(names, binds, strict=True))
        # Counts of changed rows would come before the rows themselves.
        return _called(f"SET NOCOUNT ON; EXEC {name} {given}".rstrip(), binds, values, streams=False)
    if database == "postgresql":
        given = ", ".join(
            f"{quoted(database, name)} => :{bind.key}" for name, bind in zip(names, binds, strict=True)
        )
        verb = "CALL" if is_procedure else "SELECT * FROM"
        return _called(f"{verb} {name}({given})", binds, values, streams=not is_procedure)
    raise UserErrorException(
        f"Stored procedure {str(procedure.name)!r}: {dialect.name} has none. Use a query or a table."
    )


def _colons_kept(text: str) -> str:
    return text.replace("\\", "\\\\").replace(":", "\\:")


def _called(
    text: str, binds: list[sa.BindParameter[Any]], values: Mapping[str, Any], *, streams: bool = True
) -> Statement:
    return Statement(sa.text(text).bindparams(*binds), values, streams)


def _query(query: Query) -> Statement:
    if not query.parameters:
        return Statement(query.text)
    # Of no type: a driver that is told "text" would not compare it with a UUID, and so on.
    binds = [sa.bindparam(name, type_=sa.types.NullType()) for name in query.parameters]
    try:
        return Statement(sa.text(query.text).bindparams(*binds), query.parameters)
    except sa.exc.ArgumentError as error:
        raise UserErrorException(
            f"{query}: a parameter is given that the text has no ':name' for: {error}"
        ) from None


def _is_procedure(name: TableName, connection: Connection) -> bool:
    kind = sa.text(
        "select count(*) from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace "
        "where p.proname = :name and p.prokind = 'p' "
        "and case when :schema = '' then pg_catalog.pg_function_is_visible(p.oid) "
        "else n.nspname = :schema end"
    )
    return bool(connection.execute(kind, {"name": name.name, "schema": name.schema or ""}).scalar())

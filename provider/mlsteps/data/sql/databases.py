"""What differs between the databases, as far as it can be said in a word."""

from __future__ import annotations

from sqlalchemy.engine import Dialect


def family(dialect: Dialect) -> str:
    """``postgresql``, ``mysql`` (MariaDB, too), ``sqlite``, ``mssql``, or what else SQLAlchemy calls it."""
    return "mysql" if dialect.name == "mariadb" else dialect.name


def creates_in_transactions(dialect: Dialect) -> bool:
    """Whether a table that is made in a transaction is gone when that is rolled back."""
    return family(dialect) != "mysql"


def has_time_zones(dialect: Dialect) -> bool:
    """Whether there is a column type for instants; elsewhere they are kept as times in UTC."""
    return family(dialect) in ("postgresql", "mssql")


def quoted(database: str, *names: str | None) -> str:
    """Names with a dot between them as text of a statement, for what SQLAlchemy has no construct for.

    :param database: The family.
    :param names: None is left out.
    """
    opening, closing = _QUOTES.get(database, ('"', '"'))
    return ".".join(
        f"{opening}{name.replace(closing, closing * 2)}{closing}" for name in names if name is not None
    )


_QUOTES = {"mysql": ("`", "`"), "mssql": ("[", "]")}

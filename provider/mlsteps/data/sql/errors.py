"""Turns what a database driver raises into a DatastoreException, without the secrets of the connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, quote_plus

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, NoSuchTableError, SQLAlchemyError

from mlsteps.exceptions import DatastoreException

_SHORTEST_SECRET = 3  # anything shorter would blot out half of a text
_LONGEST_TEXT = 2000

# ER_WARN_I_S_SKIPPED_TABLE of MySQL and MariaDB.
_SKIPPED_TABLE = 1684


@contextmanager
def telling(label: str, doing: str, url: URL | None) -> Iterator[None]:
    """Raise a DatastoreException for every error of the database inside.

    Not chained to the driver's error: that one's text holds the statement's values, and may hold its URL.

    :param label: The store, for people.
    :param doing: What it was asked, as in "reading table prices".
    :param url: Whose secrets must not be told.
    """
    try:
        yield
    except NoSuchTableError as error:
        raise DatastoreException(f"{label}: {doing} failed: there is no table {error}.") from None
    except SQLAlchemyError as error:
        raise DatastoreException(f"{label}: {doing} failed: {_described(error, url)}") from None


def _described(error: SQLAlchemyError, url: URL | None) -> str:
    if isinstance(error, DBAPIError) and error.orig is not None:
        text = f"{type(error.orig).__name__}: {_message(error.orig)}"
    else:
        text = f"{type(error).__name__}: {error}"
    text = text.strip()
    return redact(text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}...", url)


def still_being_defined(error: BaseException) -> bool:
    """Whether a server could not look at tables, as it is still at the DDL of a process that is gone."""
    orig = error.orig if isinstance(error, DBAPIError) else None
    return orig is not None and orig.args[:1] == (_SKIPPED_TABLE,)


def _message(error: BaseException) -> str:
    """MySQL's drivers raise with a code and a text."""
    code_and_text = len(error.args) == 2 and isinstance(error.args[0], int)
    return f"{error.args[1]} ({error.args[0]})" if code_and_text else str(error)


def redact(text: str, url: URL | None) -> str:
    """``text`` with the secrets of ``url`` as ``***``: its password, and every value of its query."""
    if url is None:
        return text
    secrets = [str(url.password or "")]
    for key, value in url.query.items():
        if any(word in key.lower() for word in ("pass", "pwd", "secret", "token", "connect")):
            secrets += [value] if isinstance(value, str) else value
    for secret in secrets:
        for spelling in {secret, quote(secret, safe=""), quote_plus(secret)}:
            if len(spelling) >= _SHORTEST_SECRET:
                text = text.replace(spelling, "***")
    return text


def place(url: URL) -> str:
    """Where a database is, for people and records: no user, no password, no query."""
    host = f"{url.host}:{url.port}" if url.host and url.port else url.host or ""
    return f"{url.get_backend_name()}://{host}/{url.database or ''}"

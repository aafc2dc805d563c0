"""What records need of a storage; any ``mlsteps.data.stores.Store`` has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from mlsteps.exceptions import MlstepsException
from mlsteps.run import values

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


class RecordStore(Protocol):
    """Small files by path, written all or nothing."""

    def read(self, path: str) -> bytes:
        """The file's bytes. Raises FileNotFoundError."""

    def write(self, path: str, data: bytes, durable: bool = True) -> None:
        """Write or replace. Not ``durable``, a power cut may leave it empty."""

    def create(self, path: str, data: bytes) -> bool:
        """Write unless it exists; True for the one caller that made it."""

    def list_names(self, folder: str = "") -> list[str]:
        """Names directly in a folder."""


class RecordFormatError(MlstepsException):
    """A record was written by a newer mlsteps, or is no record."""


def dump_json(value: Any) -> bytes:
    """A record's bytes: readable, stable, strict JSON."""
    # Through the journal's encoding, which has a place for the numbers that JSON lacks.
    strict = json.loads(values.dumps(value))
    try:
        return (json.dumps(strict, indent=1, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:  # a file name that is not UTF-8
        return (json.dumps(strict, indent=1) + "\n").encode()


def load_json(store: RecordStore, path: str, version: int, whole: bool = True) -> dict[str, Any] | None:
    """The record at ``path``, or None where there is none.

    :param whole: Whether it was written to be durable; else an empty one counts as lost in a power cut.
    :raises RecordFormatError: it is not JSON of a version up to ``version``.
    """
    try:
        data = store.read(path)
    except FileNotFoundError:
        return None
    if not data and not whole:
        return None
    return _loaded(data, path, version)


def _loaded(data: bytes, path: str, version: int) -> dict[str, Any]:
    try:
        value = values.loads(data)
    except ValueError as error:
        raise RecordFormatError(f"{path} is not a record: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("version"), int):
        raise RecordFormatError(f"{path} is not a record: it has no version.")
    if value["version"] > version:
        raise RecordFormatError(
            f"{path} has format {value['version']}, this mlsteps reads up to {version}: upgrade mlsteps."
        )
    return value


def read_record(
    store: RecordStore,
    path: str,
    version: int,
    make: Callable[[dict[str, Any]], T],
    whole: bool = True,
) -> T | None:
    """The record at ``path`` as ``make`` builds it from its fields, or None where there is none.

    :raises RecordFormatError: as :func:`load_json`, or fields are missing or of another form.
    """
    value = load_json(store, path, version, whole)
    return None if value is None else _made(value, path, make)


def record_of(data: bytes, path: str, version: int, make: Callable[[dict[str, Any]], T]) -> T:
    """As :func:`read_record`, of a file that was read before."""
    return _made(_loaded(data, path, version), path, make)


def known_fields(kind: type[DataclassInstance], value: dict[str, Any]) -> dict[str, Any]:
    """Of a record's JSON what this mlsteps knows; a newer one of the same format may have written more."""
    known = {field.name for field in fields(kind)}
    return {name: part for name, part in value.items() if name in known}


def _made(value: dict[str, Any], path: str, make: Callable[[dict[str, Any]], T]) -> T:
    try:
        return make(value)
    except (TypeError, KeyError, AttributeError) as error:
        raise RecordFormatError(f"{path} is not a record of the kind expected there: {error}") from error

"""How an output that a step has yet to make will be read, once it is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlsteps.data.datasets.definition import Definition, FilesReader, PathSource, Reader
from mlsteps.data.datasets.tabular_factory import TabularDatasetFactory
from mlsteps.exceptions import UserErrorException

# Stands for the path that is not known yet.
_ANYWHERE = "https://nowhere.invalid/"


def reader_of(method: str, options: Mapping[str, Any]) -> Reader:
    """The reader that a method of ``Dataset.Tabular`` makes of its options.

    :raises UserErrorException: an option is wrong, or unknown.
    """
    try:
        made = getattr(TabularDatasetFactory, method)(_ANYWHERE, **options)
    except TypeError as error:
        raise UserErrorException(f"{method}: {error}") from None
    reader: Reader = made.definition.reader
    return reader


def definition_at(datastore: str, path: str, reader: Reader | None) -> Definition:
    """The files at a path, or what a reader makes of them."""
    return Definition((PathSource(datastore, path),), reader or FilesReader())

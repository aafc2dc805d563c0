"""ReuseStore: results by fingerprint. A file that cannot be used is a miss, never the end of a run."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mlsteps.exceptions import MlstepsException
from mlsteps.records.store import RecordFormatError
from mlsteps.reuse import layout
from mlsteps.reuse.entry import ReuseEntry, read_entry
from mlsteps.reuse.storage import ReuseStorage

log = logging.getLogger(__name__)

_FOLDER = re.compile(r"[0-9a-f]{2}")
_FILE = re.compile(r"([0-9a-f]{64})\.json")
_ATTEMPTS = 3


class ReuseStoreError(MlstepsException):
    """A result could not be kept, forgotten or listed. The step itself has done its work all the same."""


@dataclass(frozen=True)
class Lookup:
    """What there is for a fingerprint.

    :param entry: The earlier result, or None.
    :param problem: Why there is none although something stands there or the store did not answer.
    """

    entry: ReuseEntry | None
    problem: str | None = None


class ReuseStore:
    """The results that later runs may take over, one file for each fingerprint.

    Whether the outputs of an entry still stand is for the caller to check.
    """

    def __init__(self, store: ReuseStorage) -> None:
        self._store = store

    def read(self, fingerprint: str) -> Lookup:
        """The entry of a fingerprint. What is wrong with the file or the store is logged and told."""
        path = layout.entry(fingerprint)
        try:
            return Lookup(self._load(fingerprint))
        except RecordFormatError as error:
            problem = f"The kept result is not usable: {error}"
        except Exception as error:  # each kind of store has errors of its own
            problem = f"The kept result {path} cannot be read: {type(error).__name__}: {error}"
        log.warning("%s", problem)
        return Lookup(None, problem)

    def record(self, entry: ReuseEntry, replace: bool = False) -> bool:
        """Keep a result, unless there is a usable one for its fingerprint already.

        :param replace: Write over what stands there.
        :returns: Whether it was written.
        :raises ReuseStoreError: it cannot be written, or is not plain JSON.
        """
        path = layout.entry(entry.fingerprint)
        try:
            data = entry.to_bytes()
            if not replace:
                for _ in range(_ATTEMPTS):
                    if self._store.create(path, data):
                        return True
                    try:
                        if self._load(entry.fingerprint) is not None:
                            return False
                    except RecordFormatError as error:
                        log.warning("Written anew: %s", error)
                        break
            self._store.write(path, data)
            return True
        except Exception as error:
            raise ReuseStoreError(
                f"The result of {entry.origin.name!r} cannot be kept for reuse at {path}: "
                f"{type(error).__name__}: {error}"
            ) from error

    def forget(self, fingerprint: str) -> None:
        """Drop what is kept for a fingerprint, usable or not. Nothing there is no error.

        :raises ReuseStoreError: it cannot be deleted.
        """
        path = layout.entry(fingerprint)
        try:
            self._store.delete(path)
        except Exception as error:
            raise ReuseStoreError(f"{path} cannot be deleted: {type(error).__name__}: {error}") from error

    def fingerprints(self) -> Iterator[str]:
        """Every fingerprint that something is kept for, usable or not; it may be gone when it is read.

        Files are named by the digits only, so all of them are told as fingerprints of today's kind.

        :raises ReuseStoreError: the store cannot be listed.
        """
        for folder in filter(_FOLDER.fullmatch, self._names(layout.ENTRIES)):
            for found in map(_FILE.fullmatch, self._names(f"{layout.ENTRIES}/{folder}")):
                if found and found.group(1).startswith(folder):
                    yield f"{layout.KIND}:{found.group(1)}"

    def _names(self, folder: str) -> list[str]:
        try:
            return self._store.list_names(folder)
        except Exception as error:
            raise ReuseStoreError(f"{folder} cannot be listed: {type(error).__name__}: {error}") from error

    def _load(self, fingerprint: str) -> ReuseEntry | None:
        path = layout.entry(fingerprint)
        entry = read_entry(self._store, path)
        if entry is not None and entry.fingerprint != fingerprint:
            raise RecordFormatError(f"{path} is not what its name says: it is of {entry.fingerprint}.")
        return entry

"""Which files the digest of a folder stands for, so that a later change can be told by their names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from mlsteps.records.store import RecordStore, dump_json, load_json

VERSION = 1
FOLDER = "mlsteps/listings"

# A listing serves nothing but words; one of very many files would be large and is not kept.
MOST_FILES = 5000

_LOG = logging.getLogger(__name__)


class ListingStore(RecordStore, Protocol):
    """The part of a store that listings need."""

    def stat(self, path: str) -> object | None:
        """Something if there is a file."""


class Listings:
    """Files and their digests, by the digest of the whole. An error here is never one of the step's."""

    def __init__(self, store: ListingStore) -> None:
        self._store = store

    def keep(self, digest: str, number_of_files: int, files: Callable[[], Mapping[str, str]]) -> None:
        """Remember what ``digest`` stands for, unless it is known already."""
        if number_of_files > MOST_FILES:
            return
        try:
            if self._store.stat(listing_path(digest)) is None:
                data = dump_json({"version": VERSION, "files": dict(files())})
                self._store.create(listing_path(digest), data)
        except Exception as error:  # whatever a store raises: only words depend on it
            _LOG.warning("The listing of %s is not kept: %s", digest, error)

    def read(self, digest: str) -> Mapping[str, str] | None:
        """The files of ``digest``, or None where they are not known."""
        try:
            value = load_json(self._store, listing_path(digest), VERSION)
        except Exception as error:
            _LOG.warning("The listing of %s cannot be read: %s", digest, error)
            return None
        files = value.get("files") if value else None
        return files if isinstance(files, dict) else None


def listing_path(digest: str) -> str:
    """Where the listing of a digest lies."""
    return f"{FOLDER}/{digest.rpartition(':')[2]}.json"

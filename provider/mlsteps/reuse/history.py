"""History: the last fingerprints of a step, to say what changed since. Nothing is decided by it."""

from __future__ import annotations

import logging
from typing import Any

from mlsteps.records.store import RecordFormatError, RecordStore, dump_json, load_json
from mlsteps.reuse import layout

log = logging.getLogger(__name__)

VERSION = 1
LENGTH = 8


class History:
    """The last eight fingerprints of each step, the newest first.

    Of two runs that write at the same moment one is forgotten, and errors are only logged: what is lost is
    an explanation.
    """

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def remember(self, dag_id: str, task_id: str, fingerprint: str) -> None:
        """Put a fingerprint in front of the others of its step."""
        layout.digits(fingerprint)
        path = layout.history(dag_id, task_id)
        try:
            known = self._known(path)
            if known[:1] == (fingerprint,):
                return
            others = [item for item in known if item != fingerprint]
            value = {
                "version": VERSION,
                "dag_id": dag_id,
                "task_id": task_id,
                "fingerprints": [fingerprint, *others][:LENGTH],
            }
            self._store.write(path, dump_json(value))
        except Exception as error:  # each kind of store has errors of its own
            log.warning("%s cannot be brought up to date: %s: %s", path, type(error).__name__, error)

    def recent(self, dag_id: str, task_id: str) -> tuple[str, ...]:
        """The fingerprints of a step, the newest first; empty where none are known."""
        path = layout.history(dag_id, task_id)
        try:
            return self._known(path)
        except Exception as error:
            log.warning("%s cannot be read: %s: %s", path, type(error).__name__, error)
            return ()

    def _known(self, path: str) -> tuple[str, ...]:
        try:
            value = load_json(self._store, path, VERSION)
        except (RecordFormatError, RecursionError) as error:
            log.warning("An unusable history counts as none: %s", error)
            return ()
        found: Any = value.get("fingerprints") if value else ()
        if not isinstance(found, (list, tuple)):
            log.warning("An unusable history counts as none: %s lists no fingerprints", path)
            return ()
        return tuple(item for item in found if layout.is_fingerprint(item))[:LENGTH]

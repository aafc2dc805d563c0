"""What a sensor has seen of other runs that it waits for, from one look to the next."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlsteps.records import layout
from mlsteps.reuse.claim import Claims

if TYPE_CHECKING:
    from mlsteps.data.stores import Store
    from mlsteps.reuse.watch import Held, Watch
    from mlsteps.steps.attempt import Attempt

_LOG = logging.getLogger(__name__)


class Waiting:
    """Looks who is computing results on one record store.

    A sensor that is rescheduled looks from another process each time, and that a holder is dead shows only
    by its standing still: so what was seen is kept beside the run's record until the waiting is over.
    """

    def __init__(self, store: Store, attempt: Attempt) -> None:
        self._store = store
        folder = layout.run_folder(attempt.dag_id, attempt.run_id)
        self._path = f"{folder}/waiting-{layout.path_part(attempt.task_id)}.json"
        self._claims = Claims(store)
        self._watch: Watch | None = None

    def held(self, fingerprints: Iterable[str]) -> list[Held]:
        """Who is computing any of these right now. A store that fails is not waited for."""
        found = []
        for fingerprint in fingerprints:
            try:
                if self._watch is None:
                    self._watch = self._claims.watch(self._saved())
                holder = self._claims.current(fingerprint, self._watch)
            except Exception as error:  # each kind of store has errors of its own
                _LOG.warning("Nobody can tell whether another run computes %s: %s", fingerprint, error)
                continue
            if holder is not None:
                found.append(holder)
        return found

    def remember(self) -> None:
        """Keep what was seen for the next look."""
        if self._watch is not None:
            self._store.write(self._path, json.dumps(self._watch.to_json()).encode())

    def forget(self) -> None:
        """The waiting is over."""
        self._store.delete(self._path)

    def _saved(self) -> object:
        try:
            return json.loads(self._store.read(self._path))
        except (FileNotFoundError, ValueError):
            return None

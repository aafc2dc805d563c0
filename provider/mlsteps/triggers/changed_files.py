"""ChangedFilesTrigger: tells Airflow of files of a folder that are new or were written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from mlsteps.data import Datastore
from mlsteps.data.file_states import file_states
from mlsteps.records.watches import Changes, Watch, begin_watch, read_seen
from mlsteps.triggers.threads import in_thread
from mlsteps.workspace import Workspace

# A file that is still being written is a change of the next look.
_SETTLING = 1.0
# Of one event: Airflow makes at most 1024 tasks of a list.
_AT_ONCE = 500
_SOON = 5.0
# How many seconds a run may take to see to an event before it is told again, which does no harm.
_PATIENCE = 600.0


class ChangedFilesTrigger(BaseEventTrigger):
    """Looks at the files directly in a folder now and then.

    What was seen to is in the workspace, written by the run that an event has started. So this one may die at
    any time: whoever comes after it tells again what nobody has seen to, and whoever is told twice knows the
    run that it is. While an event is not seen to no other is made.

    :param workspace: The locator of the workspace.
    :param datastore: Name of the datastore.
    :param path: The folder on it.
    :param minutes: From one look to the next.
    """

    def __init__(self, workspace: str, datastore: str, path: str, minutes: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.workspace = workspace
        self.watch = Watch(datastore, path, minutes)
        self._told: Mapping[str, str] = {}
        self._told_at = 0.0

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As Airflow's database keeps it."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "workspace": self.workspace,
            "datastore": self.watch.datastore,
            "path": self.watch.path,
            "minutes": self.watch.minutes,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event whenever files have changed, for ever."""
        between = self.watch.minutes * 60
        while True:
            changes = None
            try:
                changes = await in_thread(self.look)
            except (
                Exception
            ) as error:  # each kind of store has errors of its own; the next look may do better
                self.log.warning("%r cannot be looked at now: %s", self.watch, error)
            if changes is not None and changes.changed:
                payload = {
                    "watch": self.watch.id,
                    "changed": dict(changes.changed),
                    "gone": list(changes.gone),
                }
                yield TriggerEvent(payload)  # type: ignore[no-untyped-call]
            await asyncio.sleep(min(between, _SOON) if self._told else between)

    def look(self) -> Changes:
        """What has changed since somebody saw to the changes before, if nobody is at it now."""
        workspace = Workspace.from_locator(self.workspace)
        records, store = workspace.record_store(), Datastore(workspace, self.watch.datastore).store
        seen = read_seen(records, self.watch.id)
        if self._told and seen is not None:
            waiting = any(seen.get(path) != state for path, state in self._told.items())
            if waiting and time.monotonic() < self._told_at + _PATIENCE:
                return Changes({})
        self._told = {}
        states = file_states(store, self.watch.path)
        if seen is None:
            begin_watch(records, self.watch.id, states)
            return Changes({})
        found = Changes.between(seen, states)
        if found.changed:
            time.sleep(_SETTLING)
            again = file_states(store, self.watch.path)
            settled = [(path, state) for path, state in found.changed.items() if again.get(path) == state]
            found = Changes(dict(sorted(settled)[:_AT_ONCE]), found.gone)
            self._told, self._told_at = found.changed, time.monotonic()
        return found

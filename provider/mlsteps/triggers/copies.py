"""CopiesTrigger: waits until Azure has made copies of blobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from mlsteps.data import Datastore
from mlsteps.data.stores.azure_background import copy_state
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.triggers.threads import in_thread
from mlsteps.workspace import Workspace

_SHORTEST, _LONGEST, _GROWTH = 2.0, 60.0, 1.5
_FAILURES = 10


class CopiesTrigger(BaseTrigger):
    """Asks now and then how copies stand, and ends when none is under way; the step looks how they ended.

    :param workspace: The locator of the workspace.
    :param datastore: Name of the datastore that the copies are made on.
    :param paths: Where on it.
    """

    def __init__(self, workspace: str, datastore: str, paths: Sequence[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.workspace = workspace
        self.datastore = datastore
        self.paths = tuple(paths)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As Airflow's database keeps it."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "workspace": self.workspace,
            "datastore": self.datastore,
            "paths": list(self.paths),
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, when there is nothing more to wait for."""
        pause, failures, left = _SHORTEST, 0, list(self.paths)
        while left and failures < _FAILURES:
            try:
                left = await in_thread(lambda paths=tuple(left): self._pending(paths))  # type: ignore[misc]
                failures = 0
            except Exception as error:  # each kind of store has errors of its own; the step will see them too
                failures += 1
                self.log.warning("How the copies stand cannot be seen now: %s", error)
            if left:
                self.log.info("%d of %d copies are under way.", len(left), len(self.paths))
                await asyncio.sleep(pause)
                pause = min(pause * _GROWTH, _LONGEST)
        yield TriggerEvent({"copies": len(self.paths), "unknown": len(left)})  # type: ignore[no-untyped-call]

    def _pending(self, paths: Sequence[str]) -> list[str]:
        store = Datastore(Workspace.from_locator(self.workspace), self.datastore).store
        assert isinstance(store, AzureBlobStore)
        return [path for path in paths if copy_state(store, path) == "pending"]

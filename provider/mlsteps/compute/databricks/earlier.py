"""The runs of a step's earlier tries: one whose worker died goes on, and the next try ends it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress

from mlsteps.compute.databricks.api import Databricks
from mlsteps.compute.job import StepJob
from mlsteps.data.stores import Store

_FOLDER = "mlsteps/databricks"


class EarlierTry:
    """A note on the workspace's store: which run the current try of a step has started.

    Nothing depends on it: where it cannot be read or written, a run that nobody waits for ends by itself.
    """

    def __init__(self, job: StepJob) -> None:
        self._job = job
        store = job.locks.store if job.locks is not None and job.step else None
        self._store = store if isinstance(store, Store) else None
        self._path = f"{_FOLDER}/{hashlib.sha256(job.step.encode()).hexdigest()}.json"

    def end(self, databricks: Databricks, tell: Callable[[str], None]) -> None:
        """Cancel the run of an earlier try, should there be one."""
        with suppress(Exception):
            if self._store is None or self._store.stat(self._path) is None:
                return
            noted = json.loads(self._store.read(self._path))
            if noted["job"] != self._job.id:
                tell(f"Run {noted['run_id']} of an earlier try is canceled.")
                databricks.cancel(int(noted["run_id"]))

    def note(self, run_id: int) -> None:
        """Remember this try's run."""
        with suppress(Exception):
            if self._store is not None:
                told = {"job": self._job.id, "run_id": run_id}
                self._store.write(self._path, json.dumps(told).encode())

    def forget(self) -> None:
        """This try's run is over."""
        with suppress(Exception):
            if self._store is not None:
                self._store.delete(self._path)

"""Which run a step has started: a try whose worker died leaves it, and the next try goes on with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace

from mlsteps.compute.job import StepJob
from mlsteps.data.stores import Store

_FOLDER = "mlsteps/databricks"


@dataclass(frozen=True)
class StartNote:
    """What is known of a run when it is started.

    :param job: The try that started it: its outputs, token and run folder are named by that.
    :param by: The try that goes on with it now.
    :param fingerprint: What it computes.
    :param outputs: Where its outputs lie, by name.
    :param run_id: None until Databricks has said.
    """

    job: str
    by: str
    fingerprint: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    run_id: int | None = None

    @classmethod
    def of(cls, job: StepJob) -> StartNote:
        """A job's own."""
        return cls(job.id, job.id, job.fingerprint, {port.name: port.path for port in job.outputs})

    def is_for(self, job: StepJob) -> bool:
        """Whether a try goes on with this run already, or would start another one for the same."""
        if self.by == job.id:
            return True
        names = {port.name for port in job.outputs}
        return self.fingerprint == job.fingerprint != "" and self.outputs.keys() == names

    def as_started(self, job: StepJob) -> StepJob:
        """The job as the try that started the run had it: with its token, and its places for outputs."""
        outputs = tuple(replace(port, path=self.outputs[port.name]) for port in job.outputs)
        return replace(job, id=self.job, outputs=outputs)


class StartNotes:
    """The note of a step in one run of its DAG, on the workspace's store.

    Where it cannot be read or written, a run that nobody waits for ends by itself, and the next try starts
    another one.
    """

    def __init__(self, job: StepJob) -> None:
        store = job.locks.store if job.locks is not None and job.step else None
        self._store = store if isinstance(store, Store) else None
        self._path = f"{_FOLDER}/{hashlib.sha256(job.step.encode()).hexdigest()}.json"

    def found(self) -> StartNote | None:
        """The note, if there is one."""
        with suppress(Exception):
            if self._store is not None and self._store.stat(self._path) is not None:
                return StartNote(**json.loads(self._store.read(self._path)))
        return None

    def write(self, note: StartNote) -> None:
        """Remember a run."""
        with suppress(Exception):
            if self._store is not None:
                self._store.write(self._path, json.dumps(asdict(note)).encode())

    def forget(self) -> None:
        """The run is over."""
        with suppress(Exception):
            if self._store is not None:
                self._store.delete(self._path)

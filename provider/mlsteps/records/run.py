"""RunRecord: one run of a pipeline, and what its steps' records say of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mlsteps.records import layout
from mlsteps.records.liveness import settled
from mlsteps.records.step import CANCELED, FAILED, RUNNING, StepRecord, read_step
from mlsteps.records.store import (
    RecordFormatError,
    RecordStore,
    dump_json,
    known_fields,
    load_json,
    read_record,
)

_LOG = logging.getLogger(__name__)

VERSION = 1
SUCCESS = "success"


@dataclass(frozen=True)
class DeclaredStep:
    """A step of the pipeline as it was declared, whether or not it has started."""

    task_id: str
    name: str


@dataclass(frozen=True)
class RunRecord:
    """One DAG run. Created by whichever step starts first.

    No task owns a run, so its state is read off its steps.

    :param experiment: The label it runs under; the DAG's id when none was given.
    :param created: UTC, ISO 8601.
    :param parameters: Values of the run's parameters.
    :param steps: Every declared step, in topological order.
    :param tags, properties: Given at submission.
    :param trigger: How it was started: manual, scheduled, asset_triggered...
    :param state, ended: Set only where one process ran the whole pipeline and saw its end.
    """

    dag_id: str
    run_id: str
    experiment: str
    created: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[DeclaredStep, ...] = ()
    tags: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    trigger: str = ""
    software: Mapping[str, str] = field(default_factory=dict)
    state: str | None = None
    ended: str | None = None

    @property
    def folder(self) -> str:
        """The run's folder on the record store."""
        return layout.run_folder(self.dag_id, self.run_id)

    def create(self, store: RecordStore) -> None:
        """Write it unless another step was first."""
        store.create(f"{self.folder}/run.json", self._json())

    def finish(self, store: RecordStore, state: str, ended: str) -> RunRecord:
        """Write how it ended."""
        finished = replace(self, state=state, ended=ended)
        store.write(f"{self.folder}/run.json", finished._json())
        return finished

    def _json(self) -> bytes:
        return dump_json({"version": VERSION, **asdict(self)})


def read_run(store: RecordStore, dag_id: str, run_id: str) -> RunRecord | None:
    """The record of a run, or None."""
    return _read(store, layout.run_folder(dag_id, run_id))


def list_runs(store: RecordStore, dag_id: str | None = None) -> list[RunRecord]:
    """Every run, newest first. A record that cannot be read is left out, with a warning."""
    dags = [layout.path_part(dag_id)] if dag_id else store.list_names(layout.RUNS)
    folders = (
        f"{layout.RUNS}/{dag}/{run}" for dag in dags for run in store.list_names(f"{layout.RUNS}/{dag}")
    )
    found = []
    for folder in folders:
        try:
            run = _read(store, folder)
        except RecordFormatError as error:
            _LOG.warning("A run is left out of the list: %s", error)
            continue
        if run is not None:
            found.append(run)
    return sorted(found, key=lambda run: run.created, reverse=True)


def read_steps(store: RecordStore, run: RunRecord) -> list[StepRecord]:
    """The records of the steps that have started, in the order they did; killed ones count as failed."""
    folders = (f"{run.folder}/steps/{name}" for name in store.list_names(f"{run.folder}/steps"))
    found = [settled(step) for step in (read_step(store, folder) for folder in folders) if step is not None]
    return sorted(found, key=lambda step: step.started or "")


def run_state(run: RunRecord, steps: list[StepRecord], canceled: bool) -> str:
    """``running``, ``success``, ``failed`` or ``canceled``: what the run's steps amount to.

    :param canceled: Whether it was asked to stop; a run whose steps all had succeeded by then has succeeded.
    """
    if run.state:
        return run.state
    if any(step.state == RUNNING for step in steps):
        return RUNNING
    if any(step.state == FAILED and step.finished for step in steps):
        return FAILED
    started = {step.task_id for step in steps}
    unfinished = any(not step.finished for step in steps) or any(
        declared.task_id not in started for declared in run.steps
    )
    if canceled and (unfinished or any(step.state == CANCELED for step in steps)):
        return CANCELED
    return RUNNING if unfinished else SUCCESS


def cancel_run(store: RecordStore, dag_id: str, run_id: str, reason: str) -> None:
    """Stop a run: steps that have not started will not."""
    store.create(
        f"{layout.run_folder(dag_id, run_id)}/canceled.json",
        dump_json({"version": VERSION, "reason": reason}),
    )


def cancel_reason(store: RecordStore, dag_id: str, run_id: str) -> str | None:
    """Why a run was canceled, or None if it was not."""
    value = load_json(store, f"{layout.run_folder(dag_id, run_id)}/canceled.json", VERSION)
    return None if value is None else str(value.get("reason", ""))


def parent_metric_events(steps: list[StepRecord]) -> Iterator[Mapping[str, Any]]:
    """What all steps logged on the pipeline run, in the order it was logged."""
    events = [event for step in steps for event in step.parent_metric_events]
    yield from sorted(events, key=lambda event: str(event.get("time", "")))


def _read(store: RecordStore, folder: str) -> RunRecord | None:
    return read_record(store, f"{folder}/run.json", VERSION, _from_json)


def _from_json(value: dict[str, Any]) -> RunRecord:
    known = known_fields(RunRecord, value)
    known["steps"] = tuple(DeclaredStep(step["task_id"], step["name"]) for step in known.get("steps", ()))
    return RunRecord(**known)

"""Run: what clearing up has to know of a run and the tries of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlsteps.cleaning.reading import moment, problem_with, read_bytes
from mlsteps.cleaning.references import fixed_destinations, in_text, of_step
from mlsteps.cleaning.things import ENTRIES, RUNS, Thing
from mlsteps.data.stores import Store
from mlsteps.records import DeclaredStep, RunRecord, StepRecord, layout
from mlsteps.records.liveness import settled
from mlsteps.records.run import VERSION
from mlsteps.records.step import RUNNING, read_tries
from mlsteps.records.store import read_record

RUN_FILE = "run.json"
STEPS_FOLDER = "steps"
_CANCELED_FILE = "canceled.json"


@dataclass(frozen=True)
class Run:
    """One run.

    :param created: None if there is no record of the run itself, or none that can be read.
    :param made: The step run ids of all tries.
    :param running: Whether a step is running, as far as anybody knows.
    :param unfinished: Whether steps are still to come.
    :param computing: The reuse entries that its running steps look for.
    :param fixed: Folders among the outputs that a user chose the name of.
    :param problem: What of it cannot be read.
    """

    folder: str
    dag_id: str
    run_id: str
    created: datetime | None
    refers_to: frozenset[Thing]
    made: frozenset[str]
    running: bool = False
    unfinished: bool = False
    computing: frozenset[Thing] = frozenset()
    fixed: frozenset[str] = frozenset()
    problem: str | None = None

    @property
    def thing(self) -> Thing:
        """The run as a node of the web."""
        return Thing(RUNS, self.folder)


@dataclass(frozen=True)
class _Step:
    """The tries of one step; the newest first."""

    tries: tuple[StepRecord, ...] = ()
    refers_to: frozenset[Thing] = frozenset()
    fixed: frozenset[str] = frozenset()
    problem: str | None = None


def run_folders(store: Store) -> list[str]:
    """Where runs lie."""
    return [
        f"{layout.RUNS}/{dag}/{run}"
        for dag in store.list_names(layout.RUNS)
        for run in store.list_names(f"{layout.RUNS}/{dag}")
    ]


def scan_run(store: Store, folder: str) -> Run | None:
    """The run of a folder, or None where there is none, nor what a kill left of one.

    Of a run that was canceled before it began, or in which a sensor waits, there is no record yet.
    """
    names = store.list_names(folder)
    names_of_steps = store.list_names(f"{folder}/{STEPS_FOLDER}") if STEPS_FOLDER in names else []
    steps = [_scan_step(store, f"{folder}/{STEPS_FOLDER}/{name}") for name in names_of_steps]
    # After the steps: theirs are only written when there is one of the run.
    record, refers_to, problem = _scan_run_file(store, f"{folder}/{RUN_FILE}")
    if record is None and problem is None and STEPS_FOLDER not in names:
        return None
    tries = [made for step in steps for made in step.tries]
    newest = [settled(step.tries[0]) for step in steps if step.tries]
    running = [step for step in newest if step.state == RUNNING]
    known: RunRecord | StepRecord | None = record or next(iter(tries), None)
    dag, name = folder.split("/")[-2:]
    return Run(
        folder=folder,
        dag_id=known.dag_id if known else dag,
        run_id=known.run_id if known else name,
        created=moment(record.created) if record else None,
        refers_to=refers_to.union(*(step.refers_to for step in steps)),
        made=frozenset(made.step_run_id for made in tries),
        running=bool(running),
        unfinished=record is not None and _CANCELED_FILE not in names and _steps_to_come(record, newest),
        computing=frozenset(thing for step in running for thing in of_step(step) if thing.kind == ENTRIES),
        fixed=frozenset[str]().union(*(step.fixed for step in steps)),
        problem=next((found for found in (problem, *(step.problem for step in steps)) if found), None),
    )


def _scan_step(store: Store, folder: str) -> _Step:
    try:
        tries = tuple(read_tries(store, folder))
        return _Step(
            tries,
            frozenset[Thing]().union(*(of_step(made) for made in tries)),
            frozenset(name for made in tries for name in fixed_destinations(made.key)),
        )
    except Exception as error:  # of the store, which then fails again, or whatever odd content leads to
        numbers = layout.try_numbers(store.list_names(folder))
        data = b"\n".join(
            read_bytes(store, f"{layout.numbered_try(folder, number)}/step.json") for number in numbers
        )
        return _Step(refers_to=in_text(data), problem=problem_with(folder, error))


def _scan_run_file(store: Store, path: str) -> tuple[RunRecord | None, frozenset[Thing], str | None]:
    try:
        return read_record(store, path, VERSION, _run_record), frozenset(), None
    except Exception as error:
        return None, in_text(read_bytes(store, path)), problem_with(path, error)


def _run_record(value: dict[str, Any]) -> RunRecord:
    """As much of a run's record as matters here."""
    moment(value["created"])
    return RunRecord(
        dag_id=value["dag_id"],
        run_id=value["run_id"],
        experiment="",
        created=value["created"],
        steps=tuple(DeclaredStep(step["task_id"], step["name"]) for step in value.get("steps", ())),
        state=value.get("state"),
    )


def _steps_to_come(run: RunRecord, newest: Sequence[StepRecord]) -> bool:
    begun = {step.task_id for step in newest}
    unfinished = any(not step.finished for step in newest)
    return run.state is None and (unfinished or any(step.task_id not in begun for step in run.steps))

"""Attempt: one try of a step in one DAG run, and the names that follow from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlsteps.data import Producer
from mlsteps.records import layout
from mlsteps.records.step import RAN, REUSED, read_tries
from mlsteps.steps.parameters import REGENERATE
from mlsteps.steps.regenerate import Regenerate
from mlsteps.steps.run_facts import parameters_of_run
from mlsteps.steps.submitted import CONF_KEY, Submission, said_of_all_runs

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from mlsteps.data.stores import Store
    from mlsteps.records import StepRecord
    from mlsteps.workspace import Workspace


@dataclass(frozen=True)
class Attempt:
    """Who is running: everything that names this try, taken from Airflow once.

    :param step: The operator: a step, or the sensor that plans them.
    :param parameters: The DAG run's parameters, by name.
    :param trigger: How the run was started: manual, scheduled...
    :param regenerate: Which steps shall run although nothing changed.
    :param submission: What else whoever started the run said.
    :param supervisor: The process that answers for this one to Airflow, where there is one.
    """

    step: Any
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    max_tries: int
    trigger: str
    regenerate: Regenerate = field(default_factory=Regenerate)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    submission: Submission = field(default_factory=Submission)
    supervisor: int | None = None

    @classmethod
    def of(cls, step: BaseOperator, context: Context) -> Attempt:
        """The try that Airflow's context describes."""
        ti, dag_run = context["ti"], context["dag_run"]
        parameters = parameters_of_run(step, context)
        regenerate = Regenerate.parse(parameters.pop(REGENERATE, None))
        submission = parameters.pop(CONF_KEY, None) or (dag_run.conf or {}).get(CONF_KEY)
        return cls(
            step=step,
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=-1 if ti.map_index is None else ti.map_index,
            try_number=ti.try_number,
            max_tries=(ti.max_tries or 0) + 1,
            trigger=str(getattr(dag_run.run_type, "value", dag_run.run_type)),
            regenerate=regenerate,
            parameters=parameters,
            submission=Submission.of(submission).over(said_of_all_runs(step.get_dag())),
            # Airflow's worker gives a task its bundle; a test run in a process of the user's own does not.
            supervisor=os.getppid() if getattr(ti, "bundle_instance", None) is not None else None,
        )

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace it works in."""
        found: Workspace = self.step.effective_workspace()
        return found

    @cached_property
    def records(self) -> Store:
        """Where its record is kept."""
        return self.workspace.record_store()

    @property
    def begun_again(self) -> bool:
        """Whether the task was cleared after it had been tried: Airflow then gives it more tries."""
        return self.max_tries > (self.step.retries or 0) + 1

    @cached_property
    def cleared(self) -> bool:
        """Whether somebody wants this step to run again that had been done with in this very run.

        Airflow does not tell a task that it was cleared, but an earlier try of it ended well.
        """
        if self.try_number > 1 and not self.begun_again:
            return False  # a retry, after a kill between the last word of a try and its end
        done = self.tries_done(self.task_id, self.records, self.map_index)
        return any(record.try_number < self.try_number for record in done)

    def record_so_far(self) -> StepRecord | None:
        """What an earlier process has recorded of this very try."""
        folder = layout.step_folder(self.dag_id, self.run_id, self.task_id, self.map_index)
        tries = read_tries(self.records, folder)
        return next((record for record in tries if record.try_number == self.try_number), None)

    def tries_done(self, task_id: str, records: Store, map_index: int = -1) -> list[StepRecord]:
        """The tries of a step of this very run after which it was done with, be it that it was reused."""
        folder = layout.step_folder(self.dag_id, self.run_id, task_id, map_index)
        return [record for record in read_tries(records, folder) if record.state in (RAN, REUSED)]

    @property
    def step_run_id(self) -> str:
        """The id of this try; its outputs lie below it."""
        return layout.step_run_id(self.dag_id, self.run_id, self.task_id, self.map_index, self.try_number)

    @property
    def folder(self) -> str:
        """The folder of this try on the record store."""
        return layout.try_folder(self.dag_id, self.run_id, self.task_id, self.map_index, self.try_number)

    @property
    def producer(self) -> Producer:
        """This try as the maker of outputs."""
        return Producer(self.dag_id, self.run_id, self.task_id, self.map_index, self.try_number)

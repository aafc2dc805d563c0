"""Attempt: one try of a step in one DAG run, and the names that follow from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlsteps.data import Producer
from mlsteps.records import layout

# Key of a DAG run's conf that holds what is not a parameter: tags given at submission.
CONF_KEY = "mlsteps"

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlsteps.data.stores import Store
    from mlsteps.steps.base import PipelineStep
    from mlsteps.workspace import Workspace


@dataclass(frozen=True)
class Attempt:
    """Who is running: everything that names this try, taken from Airflow once.

    :param parameters: The DAG run's parameters, by name.
    :param trigger: How the run was started: manual, scheduled...
    :param tags: Given to the run at its submission.
    :param supervisor: The process that answers for this one to Airflow, where there is one.
    """

    step: PipelineStep
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    max_tries: int
    trigger: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    supervisor: int | None = None

    @classmethod
    def of(cls, step: PipelineStep, context: Context) -> Attempt:
        """The try that Airflow's context describes."""
        ti, dag_run = context["ti"], context["dag_run"]
        parameters = dict(context["params"])
        submission = parameters.pop(CONF_KEY, None) or (dag_run.conf or {}).get(CONF_KEY) or {}
        return cls(
            step=step,
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=-1 if ti.map_index is None else ti.map_index,
            try_number=ti.try_number,
            max_tries=(ti.max_tries or 0) + 1,
            trigger=str(getattr(dag_run.run_type, "value", dag_run.run_type)),
            parameters=parameters,
            tags=dict(submission.get("tags") or {}),
            # Airflow's worker gives a task its bundle; a test run in a process of the user's own does not.
            supervisor=os.getppid() if getattr(ti, "bundle_instance", None) is not None else None,
        )

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace it works in."""
        return self.step.effective_workspace()

    @cached_property
    def records(self) -> Store:
        """Where its record is kept."""
        return self.workspace.record_store()

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

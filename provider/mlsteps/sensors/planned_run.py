"""PlannedRun: the plan of one DAG run, told in the log and carried out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlsteps.sensors.data_paths import check_data_paths
from mlsteps.sensors.guarded import names_to_regenerate
from mlsteps.sensors.skipped_along import tasks_skipped_along
from mlsteps.sensors.waiting import Waiting
from mlsteps.steps.attempt import Attempt
from mlsteps.steps.base import PipelineStep, is_step
from mlsteps.steps.ending import record_stores
from mlsteps.steps.journal import run_record
from mlsteps.steps.planning import PlannedStep, Planner, behind
from mlsteps.steps.rendering import render_with
from mlsteps.steps.reused_ahead import hand_on_reused

if TYPE_CHECKING:
    from airflow.sdk import DAG, Context

    from mlsteps.sensors.reuse import ReuseSensor


@dataclass(frozen=True)
class PlannedRun:
    """What the sensor found out about one run."""

    sensor: ReuseSensor
    context: Context
    dag: DAG
    attempt: Attempt
    steps: Sequence[PlannedStep]
    _waitings: dict[str, Waiting] = field(default_factory=dict)

    @classmethod
    def of(cls, sensor: ReuseSensor, context: Context) -> PlannedRun:
        """Plan the run that Airflow's context describes.

        :raises PipelineParameterError: ``regenerate_outputs`` names a step that there is not, or a data path
            a datastore that there is not.
        """
        dag = context["dag"]
        attempt = Attempt.of(sensor, context)
        attempt.regenerate.check(names_to_regenerate(dag))
        # Before anything is looked up: a clean-up beside this run must see that it has begun.
        for store in record_stores(dag):
            run_record(attempt, dag).create(store)
        check_data_paths((task for task in dag.tasks if isinstance(task, PipelineStep)), attempt.parameters)
        planner = Planner(
            dag,
            attempt.parameters,
            attempt.regenerate,
            render_with(context, attempt.parameters),
            passed=[sensor.task_id, *sensor.upstream_task_ids],
            # A step beside the sensor may be running already.
            only=behind(dag, sensor.task_id),
            cleared=lambda step: cls._cleared(attempt, step),
        )
        return cls(sensor, context, dag, attempt, planner.plan())

    @staticmethod
    def _cleared(attempt: Attempt, step: PipelineStep) -> bool:
        """Whether the sensor was cleared together with a step that had been done with: to have all run."""
        records = step.effective_workspace().record_store()
        return attempt.begun_again and bool(attempt.tries_done(step.task_id, records))

    def computed_elsewhere(self) -> list[str]:
        """What other runs are computing right now that steps of this one need, in words."""
        wanted: dict[str, list[PlannedStep]] = {}
        for planned in self.steps:
            if planned.decision.action == "run" and planned.fingerprint and planned.workspace:
                wanted.setdefault(planned.workspace.locator, []).append(planned)
        found: list[str] = []
        for steps in wanted.values():
            waiting = self._waiting(steps[0])
            held = waiting.held(step.fingerprint for step in steps if step.fingerprint)
            found += [f"{h.holder.get('task_id')} of run {h.holder.get('run_id')}" for h in held]
        return found

    def remember(self) -> None:
        """Keep what was seen of other runs for the next look, which may be another process's."""
        for waiting in self._waitings.values():
            waiting.remember()

    def done_waiting(self) -> None:
        """Clear away what the waiting has left."""
        for planned in {p.workspace.locator: p for p in self.steps if p.workspace}.values():
            self._waiting(planned).forget()

    def _waiting(self, planned: PlannedStep) -> Waiting:
        workspace = planned.workspace
        assert workspace is not None
        if workspace.locator not in self._waitings:
            self._waitings[workspace.locator] = Waiting(workspace.record_store(), self.attempt)
        return self._waitings[workspace.locator]

    def carry_out(self) -> list[str]:
        """Hand on the results of all reused steps; returns the ids of those to be skipped."""
        front = [p for p in self.steps if p.entry is not None and p.step and p.step.skips_when_reused]
        self._tell(front)
        hand_on_reused(self.attempt, self.dag, front, self.sensor.log)
        return [planned.task_id for planned in front]

    def _tell(self, front: Sequence[PlannedStep]) -> None:
        together: dict[str, list[str]] = {}
        for planned in self.steps:
            if planned.decision.action == "reuse":
                together.setdefault(planned.decision.in_words(), []).append(planned.name)
            else:
                self.sensor.log.info("%s: %s", planned.name, planned.decision.in_words())
        for words, names in together.items():
            self.sensor.log.info("%s: %s", ", ".join(names), words)
        counts = Counter(planned.decision.action for planned in self.steps)
        self.sensor.log.info(
            "Of %d steps %d are reused, %d run, %d decide when they start.",
            len(self.steps),
            counts["reuse"],
            counts["run"],
            counts["unknown"],
        )
        skipped = {planned.task_id for planned in front}
        steps = {task.task_id for task in self.dag.tasks if is_step(task)}
        for warning in tasks_skipped_along(self.dag, skipped, steps, "that step on_reuse='success'"):
            self.sensor.log.warning(warning)

"""GuardedRun: what a ReuseSensor in front of other people's tasks decides about them in one run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlsteps.reuse.decision import Decision
from mlsteps.reuse.key import Key
from mlsteps.reuse.listings import Listings
from mlsteps.sensors.earlier_result import EarlierResult, NotHandedOn
from mlsteps.sensors.fingerprint import Fingerprint
from mlsteps.sensors.guard_facts import GuardFacts
from mlsteps.sensors.guard_results import AWAITED_KEY, Awaited, GuardResults
from mlsteps.sensors.guarded_outputs import locate
from mlsteps.sensors.guards import keys_of
from mlsteps.sensors.skipped_along import tasks_skipped_along
from mlsteps.steps.attempt import Attempt
from mlsteps.steps.base import is_step, step_name
from mlsteps.steps.deciding import Decider, Verdict
from mlsteps.steps.reuse_link import REUSE_KEY

if TYPE_CHECKING:
    from airflow.sdk import DAG, Context

    from mlsteps.sensors.reuse import ReuseSensor


class GuardedRun:
    """Decides about the guards of one run, all together."""

    def __init__(self, sensor: ReuseSensor, context: Context) -> None:
        self._sensor = sensor
        self._context = context
        self._dag: DAG = context["dag"]
        self._attempt = Attempt.of(sensor, context)
        self._results = GuardResults(
            self._attempt.records, self._attempt.dag_id, self._attempt.run_id, sensor.task_id
        )

    def skipped(self) -> list[str | tuple[str, int]]:
        """Decide; hand an earlier result on if there is one. Returns what Airflow shall skip.

        :raises PipelineParameterError: ``regenerate_outputs`` names what there is not.
        :raises MlstepsException: something that the fingerprint holds cannot be read.
        """
        self._attempt.regenerate.check(names_to_regenerate(self._dag))
        verdict, result = self._decide()
        self._sensor.log.info("%s", verdict.decision.in_words())
        ti = self._context["ti"]
        awaited = Awaited(
            self._key.fingerprint, self._key.to_plain(), self._attempt.try_number, verdict.replaces
        )
        ti.xcom_push(key=REUSE_KEY, value=verdict.decision.in_words())
        ti.xcom_push(key=AWAITED_KEY, value=awaited.to_plain())
        if result is None:
            self._keep_listings()
            self._results.begin()
            return []
        result.hand_on(verdict.decision, self._context, self._sensor.log)
        self._results.reused()
        guards = self._sensor.guards
        for warning in tasks_skipped_along(self._dag, guards, guards, "guard it as well"):
            self._sensor.log.warning(warning)
        return result.skipped()

    # The key

    @cached_property
    def _guards(self) -> list[Any]:
        return [self._dag.get_task(task_id) for task_id in self._sensor.guards]

    @cached_property
    def _fingerprint(self) -> Fingerprint:
        reader = self._sensor.fingerprint_reader(self._attempt.workspace, self._attempt.parameters)
        return reader.read(self._sensor.fingerprint)

    @cached_property
    def _key(self) -> Key:
        facts = GuardFacts.of(self._guards)
        handed_on = {f"{task_id}: XComs": keys for task_id, keys in self._keys.items()}
        outputs = locate(self._sensor.task_id, self._sensor.outputs, self._attempt.workspace)
        return Key(
            kind=type(self._sensor).__name__,
            hash_paths=facts.functions,
            variables=facts.variables,
            inputs=self._fingerprint.inputs(),
            outputs={output.name: {"datastore": output.datastore, "path": output.path} for output in outputs},
            # No name that was given has a colon, see `label_of`, and no task id a space.
            extra={
                **self._fingerprint.values,
                **facts.values,
                **handed_on,
                "DAG of the guards: id": self._attempt.dag_id,
            },
        )

    @cached_property
    def _keys(self) -> dict[str, list[str]]:
        return keys_of(self._dag, self._sensor.guards, self._sensor.xcom_keys)

    def _keep_listings(self) -> None:
        kept = Listings(self._attempt.records)
        for content in self._fingerprint.contents.values():
            kept.keep(content.digest, content.number_of_files, content.files)

    # The decision

    def _decide(self) -> tuple[Verdict, EarlierResult | None]:
        attempt, sensor = self._attempt, self._sensor
        if attempt.regenerate.forces(sensor.task_id, *sensor.guards):
            return Verdict(Decision.forced(), replaces=True), None
        if self._cleared:
            return Verdict(Decision.cleared(), replaces=True), None
        verdict = Decider(attempt.workspace, attempt.records).decide(
            self._key, self._fingerprint.listing, attempt.dag_id, attempt.task_id, sensor.max_age
        )
        if verdict.entry is None:
            return verdict, None
        try:
            return verdict, EarlierResult.fitted(verdict.entry, self._guards, self._context)
        except NotHandedOn as reason:
            return Verdict(Decision.unreadable(str(reason)), replaces=reason.lasting), None

    @property
    def _cleared(self) -> bool:
        """Whether the sensor was cleared, with guards that had been done with, to have them all run."""
        return self._attempt.begun_again and self._results.state in ("reused", "kept")


def names_to_regenerate(dag: DAG) -> Iterator[str]:
    """What ``regenerate_outputs`` may name: steps, sensors with guards, and the guards."""
    from mlsteps.sensors.reuse import ReuseSensor

    for task in dag.tasks:
        if is_step(task):
            yield from (task.task_id, step_name(task))
        elif isinstance(task, ReuseSensor) and task.guards:
            yield from (task.task_id, *task.guards)

"""Plan: walk a DAG before it runs, and decide about every step whose inputs are known."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

from mlsteps.data import PortDataReference
from mlsteps.exceptions import MlstepsException
from mlsteps.reuse.decision import Decision
from mlsteps.reuse.entry import ReuseEntry
from mlsteps.steps.arguments import is_filled_in_later
from mlsteps.steps.base import PipelineStep, is_step, step_name
from mlsteps.steps.deciding import Decider
from mlsteps.steps.declaration import independent_copy
from mlsteps.steps.form import is_template
from mlsteps.steps.keys import KeyMaker
from mlsteps.steps.regenerate import Regenerate
from mlsteps.steps.resolving import resolve
from mlsteps.steps.reusing import references_of
from mlsteps.steps.run_facts import open_parameters

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from mlsteps.workspace import Workspace

Render = Callable[[PipelineStep, str], str]


class NotYetKnown(Exception):
    """A value that only the run itself gives; the text says which, and when it is known."""


@dataclass(frozen=True)
class PlannedStep:
    """One step of a plan.

    :param entry: The earlier result that stands for it, if one does.
    :param references: Its outputs, if so.
    :param fingerprint: Of its key, where that is known.
    """

    task_id: str
    name: str
    decision: Decision
    step: PipelineStep | None = None
    workspace: Workspace | None = None
    entry: ReuseEntry | None = None
    references: Mapping[str, PortDataReference] = field(default_factory=dict)
    fingerprint: str | None = None


class Planner:
    """Plans one run of a DAG.

    A step is decided about only if every task before it is a step that is reused: what any other task does
    may change what the step reads.

    :param parameters: The run's.
    :param render: Fills a template in, or raises NotYetKnown.
    :param passed: Ids of tasks that need not be waited for, such as whoever asks for the plan.
    :param only: Ids of the tasks to decide about; by default all.
    :param cleared: Whether somebody cleared a task that had been done with, to have it run.
    :param made: What a step that is done with left, by its id and the output's name; None if it is not.
    """

    def __init__(
        self,
        dag: DAG,
        parameters: Mapping[str, Any],
        regenerate: Regenerate,
        render: Render,
        passed: Iterable[str] = (),
        only: Container[str] | None = None,
        cleared: Callable[[PipelineStep], bool] = lambda step: False,
        made: Callable[[str, str], PortDataReference | None] = lambda task_id, key: None,
    ) -> None:
        self._dag = dag
        self._parameters = parameters
        self._open = open_parameters(dag, parameters)
        self._regenerate = regenerate
        self._render = render
        self._passed = frozenset(passed)
        self._only = only
        self._cleared = cleared
        self._made_before = made
        self._keys = KeyMaker()
        self._workspaces: dict[str, Workspace] = {}
        self._deciders: dict[str, Decider] = {}
        self._planned: dict[str, PlannedStep] = {}

    def plan(self) -> list[PlannedStep]:
        """The steps, each after those before it."""
        for task in in_order(self._dag):
            if is_step(task) and (self._only is None or task.task_id in self._only):
                self._planned[task.task_id] = self._decide(task)
        return list(self._planned.values())

    def _decide(self, task: Any) -> PlannedStep:
        name = step_name(task)
        if not isinstance(task, PipelineStep):
            return PlannedStep(task.task_id, name, Decision.later("each of its mapped tasks decides"))

        def run(decision: Decision, **known: Any) -> PlannedStep:
            return PlannedStep(task.task_id, name, decision, task, **known)

        if not task.allow_reuse:
            return run(Decision.not_allowed())
        if self._regenerate.forces(name, task.task_id):
            return run(Decision.forced())
        if self._cleared(task):
            return run(Decision.cleared())
        waits_for = next(
            (before for before in sorted(task.upstream_task_ids) if self._has_to_run(before)), None
        )
        if waits_for is not None:
            return run(self._behind(waits_for))
        try:
            return self._look_up(task, name)
        except NotYetKnown as reason:
            return run(Decision.later(str(reason)))
        except (MlstepsException, OSError) as error:
            # The step will meet the same, and fail where everybody looks for its error.
            return run(Decision.later(f"it cannot be decided now: {error}"))

    def _has_to_run(self, task_id: str) -> bool:
        planned = self._planned.get(task_id)
        return task_id not in self._passed and (planned is None or planned.entry is None)

    def _behind(self, task_id: str) -> Decision:
        planned = self._planned.get(task_id)
        return Decision.upstream([planned.name if planned is not None else task_id])

    def _look_up(self, step: PipelineStep, name: str) -> PlannedStep:
        for parameter in step.pipeline_parameters:
            if parameter.name in self._open:
                value = self._parameters[parameter.name]
                raise NotYetKnown(f"its parameter {parameter.name!r} is {value!r}, filled in for each run")
        workspace = self._workspace(step)
        filled = independent_copy(step)
        filled.arguments = [self._value(step, argument) for argument in step.arguments]
        filled.script_params = {key: self._value(step, value) for key, value in step.script_params.items()}
        made = {port: self._made(reference) for port, reference in step.upstream_outputs.items()}
        keyed = self._keys.key_of(resolve(filled, workspace, self._parameters, made))
        verdict = self._deciders[workspace.locator].decide(
            keyed.key, keyed.listing, self._dag.dag_id, step.task_id, step.reuse_max_age
        )
        references = references_of(verdict.entry, workspace.locator) if verdict.entry else {}
        return PlannedStep(
            step.task_id,
            name,
            verdict.decision,
            step,
            workspace,
            verdict.entry,
            references,
            keyed.key.fingerprint,
        )

    def _workspace(self, step: PipelineStep) -> Workspace:
        """The step's; one object for all steps that have the same, so that its settings are read once."""
        given = step.effective_workspace()
        if given.locator not in self._workspaces:
            self._workspaces[given.locator] = given
            self._deciders[given.locator] = Decider(given, given.record_store())
        return self._workspaces[given.locator]

    def _value(self, step: PipelineStep, value: Any) -> Any:
        if is_filled_in_later(value):
            return self._made(value)
        return self._render(step, value) if is_template(value) else value

    def _made(self, reference: Any) -> Any:
        """What a reference to another task's result stands for: known if that is a step that is done with."""
        for maker, key in reference.iter_references():
            planned = self._planned.get(maker.task_id)
            if planned is not None and planned.entry is not None:
                found = planned.references.get(key)
            else:
                found = self._made_before(maker.task_id, key)
                if found is None:
                    raise NotYetKnown(f"it takes the result of task {maker.task_id!r}")
            if found is not None and type(reference) is type(XComArg(maker, key)):
                return found
        raise NotYetKnown("it takes results of other tasks")


def in_order(dag: DAG) -> Iterator[Any]:
    """The tasks of a DAG, each after those before it."""
    missing = {task_id: len(task.upstream_task_ids) for task_id, task in dag.task_dict.items()}
    ready = [task_id for task_id, count in missing.items() if not count]
    while ready:
        following = []
        for task_id in ready:
            task = dag.task_dict[task_id]
            yield task
            for after in sorted(task.downstream_task_ids):
                missing[after] -= 1
                if not missing[after]:
                    following.append(after)
        ready = following


def behind(dag: DAG, task_id: str) -> set[str]:
    """Ids of all tasks that wait for a task."""
    found: set[str] = set()
    waiting = [task_id]
    while waiting:
        following = dag.task_dict[waiting.pop()].downstream_task_ids - found
        found |= following
        waiting += following
    return found

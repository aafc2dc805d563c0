"""``mlsteps plan``: what a run of a DAG file would reuse and what it would run, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.cli.drawing import draw
from mlsteps.local_airflow import quieten
from mlsteps.run import values

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from mlsteps.steps.planning import PlannedStep

_STYLES = {"reuse": "cyan", "run": "green", "unknown": "yellow"}


@dataclass(frozen=True)
class DagPlan:
    """The plan of one DAG.

    :param order: Task ids of its steps, each after those before it.
    :param after: The steps that follow a step, also through tasks that are no steps.
    """

    dag_id: str
    steps: tuple[PlannedStep, ...]
    order: tuple[str, ...]
    after: Mapping[str, tuple[str, ...]]


def plan_file(file: Path, params: Sequence[str], only: str | None) -> list[DagPlan]:
    """Plan the DAGs of a file; nothing is run, and nothing is written but this machine's cache of digests.

    :param params: Texts ``NAME=VALUE``.
    :param only: The id of the one DAG to plan; None plans all.
    :raises MlstepsException: the file, a parameter or a name is wrong.
    """
    quieten()
    from mlsteps.cli.run import chosen_dags, parameters_of

    dags = chosen_dags(file, only)
    confs = parameters_of(dags, params)
    return [_plan(dag, confs[dag.dag_id]) for dag in dags]


def _plan(dag: DAG, conf: Mapping[str, Any]) -> DagPlan:
    from mlsteps.sensors import ReuseSensor
    from mlsteps.steps.base import is_step
    from mlsteps.steps.parameters import REGENERATE
    from mlsteps.steps.planning import Planner, in_order
    from mlsteps.steps.regenerate import Regenerate
    from mlsteps.steps.rendering import render_with

    parameters = {**dag.params.dump(), **conf}
    regenerate = Regenerate.parse(parameters.pop(REGENERATE, None))
    planner = Planner(
        dag,
        parameters,
        regenerate,
        render_with({"dag": dag}, {**parameters}),
        passed=[task.task_id for task in dag.tasks if isinstance(task, ReuseSensor)],
    )
    steps = {planned.task_id: planned for planned in planner.plan()}
    order = tuple(task.task_id for task in in_order(dag) if is_step(task))
    return DagPlan(dag.dag_id, tuple(steps.values()), order, {s: _next_steps(dag, s) for s in order})


def _next_steps(dag: DAG, task_id: str) -> tuple[str, ...]:
    from mlsteps.steps.base import is_step

    found: dict[str, None] = {}
    waiting = sorted(dag.get_task(task_id).downstream_task_ids)
    seen = set(waiting)
    while waiting:
        other = waiting.pop(0)
        if is_step(dag.task_dict[other]):
            found[other] = None
            continue
        more = sorted(dag.get_task(other).downstream_task_ids - seen)
        seen.update(more)
        waiting += more
    return tuple(found)


def to_json(plans: Sequence[DagPlan]) -> str:
    """All plans as one line of JSON."""
    steps = [
        {
            "name": planned.name,
            "task_id": planned.task_id,
            "dag_id": plan.dag_id,
            "decision": planned.decision.action,
            "reason": planned.decision.in_words(),
            "because": planned.decision.to_plain(),
        }
        for plan in plans
        for planned in plan.steps
    ]
    return values.dumps({"steps": steps})


def tell(plans: Sequence[DagPlan]) -> None:
    """Print plans as drawings with a line for each step."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for plan in plans:
        console.print(Text(plan.dag_id, "bold"))
        steps = {planned.task_id: planned for planned in plan.steps}
        # Columns of rails as wide as the widest, so that the words stand below each other.
        lines = draw(plan.order, plan.after)
        rails = max((len(line) for line, _ in lines), default=0)
        names = max((len(planned.name.strip()) for planned in plan.steps), default=0)
        for line, node in lines:
            if node is None:
                console.print(Text(line, "dim"))
                continue
            planned = steps[node]
            decision, name = planned.decision, planned.name.strip()
            action = (f"{decision.action:7}", _STYLES[decision.action])
            console.print(
                Text.assemble(f"{line:{rails}}  {name:{names}}  ", action, "  ", decision.in_words())
            )
        counts: Counter[str] = Counter(planned.decision.action for planned in plan.steps)
        told = [
            f"[{_STYLES[action]}]{counts[action]} {words}[/{_STYLES[action]}]"
            for action, words in (
                ("reuse", "would be reused"),
                ("run", "would run"),
                ("unknown", "decide when they start"),
            )
            if counts[action]
        ]
        console.print(", ".join(told) or "no steps")

"""Which XComs are pushed for steps that are reused before they start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

from mlsteps.steps.base import PipelineStep
from mlsteps.steps.task_fields import declared_fields, expand_inputs

if TYPE_CHECKING:
    from airflow.sdk import DAG

# Each is a call to Airflow's API server that takes five to ten milliseconds, one after the other.
MOST_XCOMS = 150


@dataclass(frozen=True)
class HandedOn:
    """What one reused step leaves: its outputs by port name, and what is only for people."""

    task_id: str
    outputs: Mapping[str, Any]
    about: Mapping[str, str]


@dataclass(frozen=True)
class XComValue:
    """One XCom of another task."""

    task_id: str
    key: str
    value: Any


@dataclass(frozen=True)
class Chosen:
    """XComs to push, and which kinds were left out because they are too many."""

    pushed: tuple[XComValue, ...]
    left_out: tuple[str, ...]


def handed_on(dag: DAG, results: Sequence[HandedOn]) -> Chosen:
    """Everything, as long as that is not very much; and always what other tasks of the DAG ask for.

    A step that reads another's output finds it in the record, too; so what is left out is missed by nobody
    but templates that pull an XCom by its name.
    """
    asked_for = set(_asked_for(dag))
    kinds: dict[str, list[XComValue]] = {"outputs": [], "return_value": [], "reuse": []}
    needed: list[XComValue] = []
    for result in results:
        values = [("outputs", name, value) for name, value in result.outputs.items()]
        values.append(("return_value", "return_value", dict(result.outputs)))
        values += [("reuse", key, value) for key, value in result.about.items()]
        for kind, key, value in values:
            target = needed if (result.task_id, key) in asked_for else kinds[kind]
            target.append(XComValue(result.task_id, key, value))
    pushed, left_out = list(needed), []
    for kind, values_of_kind in kinds.items():
        if len(pushed) + len(values_of_kind) <= MOST_XCOMS:
            pushed += values_of_kind
        elif values_of_kind:
            left_out.append(kind)
    return Chosen(tuple(pushed), tuple(left_out))


def _asked_for(dag: DAG) -> Iterator[tuple[str, str]]:
    """Task id and key of each XCom that a task of the DAG takes; steps find each other's without."""
    for task in dag.tasks:
        fields: Any = [declared_fields(task), list(expand_inputs(task))]
        if isinstance(task, PipelineStep):
            fields = [task.arguments, task.script_params]
        for maker, key in XComArg.iter_xcom_references(fields):
            yield maker.task_id, key

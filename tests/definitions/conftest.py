"""A project to publish from, and what a pipeline and the one made from its definition have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlsteps import Pipeline
from mlsteps.definitions import parse
from mlsteps.steps.keys import KeyMaker
from mlsteps.steps.resolving import resolve
from steps.project import edges


def again(pipeline: Pipeline) -> Pipeline:
    """The pipeline that its definition's text describes."""
    return Pipeline.from_definition(pipeline.workspace, parse(pipeline.definition().text))


def key_of(pipeline: Pipeline, name: str, upstream: Mapping[str, object] | None = None, **values: Any) -> Any:
    """The reuse key of a step of a pipeline."""
    step = next(step for step in pipeline.graph.steps if step.name == name)
    return KeyMaker().key_of(resolve(step, pipeline.workspace, values, upstream or {})).key


def shape(pipeline: Pipeline) -> Any:
    """The graph, without the steps themselves."""
    number = {id(step): position for position, step in enumerate(pipeline.graph.steps)}
    return (
        [step.name for step in pipeline.graph.steps],
        {(number[id(edge.before)], number[id(edge.after)], edge.data) for edge in pipeline.graph.edges},
        {name: (type(p.default_value), p.form_default) for name, p in pipeline.parameters.items()},
        edges(pipeline.to_dag("shape")),
    )

"""What a task of a DAG was declared with, whatever kind of task it is."""

from __future__ import annotations

from typing import Any


def declared_fields(task: Any) -> dict[str, Any]:
    """The template fields of a task as declared; of a mapped one, those that are the same for all."""
    if task.is_mapped:
        given = task.partial_kwargs
        return {name: given[name] for name in task.template_fields if name in given}
    return {name: getattr(task, name, None) for name in task.template_fields}


def expand_inputs(task: Any) -> list[Any]:
    """What a mapped task is mapped over; of another one nothing."""
    if not task.is_mapped:
        return []
    inputs = [getattr(task, name, None) for name in ("op_kwargs_expand_input", "expand_input")]
    return [found.value for found in inputs if found is not None and found.value]

"""The graph of a pipeline's steps: closure, order, checks and a drawing. Knows what steps declare."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mlsteps.data import OutputFileDatasetConfig, PipelineData, PipelineParameter
from mlsteps.exceptions import PipelineParameterError, PipelineValidationError
from mlsteps.steps import PipelineStep, StepSequence
from mlsteps.steps.links import maker, not_made, two_makers


@dataclass(frozen=True)
class Edge:
    """``after`` starts when ``before`` is done; ``data`` names what passes between them, or is empty."""

    before: PipelineStep
    after: PipelineStep
    data: str = ""


class Graph:
    """Steps and the order among them.

    Made from what ``Pipeline(steps=...)`` takes: steps, data (meaning its maker), lists of these, and
    StepSequences, nested at will. Steps that the given ones need are found through data and ``run_after``.

    :raises PipelineValidationError: two steps make one output, nobody makes an input, the steps form a cycle,
        two outputs share a pipeline output name, a step belongs to a DAG already, or, without closure, a
        needed step was not given.
    """

    def __init__(self, steps: object, resolve_closure: bool = True) -> None:
        self._edges: dict[tuple[int, int, str], Edge] = {}
        found: dict[int, PipelineStep] = {}
        for step in _flatten(steps, self._add_edge):
            found[id(step)] = step
        self._close(found, resolve_closure)
        self.steps = self._topological_order(list(found.values()))
        self._check_pipeline_outputs()

    @property
    def edges(self) -> list[Edge]:
        """Every edge."""
        return list(self._edges.values())

    @property
    def nodes(self) -> list[PipelineStep]:
        """Every step, in an order in which they can run (SDK v1 name)."""
        return list(self.steps)

    @property
    def params(self) -> Mapping[str, PipelineParameter]:
        """Every pipeline parameter by name.

        :raises PipelineParameterError: two steps give one parameter different defaults.
        """
        found: dict[str, tuple[PipelineParameter, PipelineStep]] = {}
        for step in self.steps:
            for parameter in step.pipeline_parameters:
                known = found.setdefault(parameter.name, (parameter, step))
                if not known[0].same_default(parameter):
                    raise PipelineParameterError(
                        f"The pipeline parameter {parameter.name!r} has the default "
                        f"{known[0].default_value!r} in step {known[1].name!r} and "
                        f"{parameter.default_value!r} in step {step.name!r}."
                    )
                if known[0].limits != parameter.limits:
                    raise PipelineParameterError(
                        f"The pipeline parameter {parameter.name!r} has other choices, minimum or maximum in "
                        f"step {known[1].name!r} than in step {step.name!r}. Use one object for both."
                    )
        return {name: parameter for name, (parameter, _) in found.items()}

    def to_mermaid(self) -> str:
        """The graph as a Mermaid drawing, which Markdown viewers show as a picture."""
        number = {id(step): index for index, step in enumerate(self.steps)}
        lines = ["flowchart LR"]
        lines += [f'  s{index}["{_label(step.name)}"]' for index, step in enumerate(self.steps)]
        for edge in self.edges:
            label = f"|{edge.data}|" if edge.data else ""
            lines.append(f"  s{number[id(edge.before)]} -->{label} s{number[id(edge.after)]}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Graph({len(self.steps)} steps, {len(self._edges)} edges)"

    def _add_edge(self, before: PipelineStep, after: PipelineStep, data: str = "") -> None:
        self._edges.setdefault((id(before), id(after), data), Edge(before, after, data))

    def _close(self, found: dict[int, PipelineStep], resolve_closure: bool) -> None:
        makers: dict[int, PipelineStep] = {}
        for step in found.values():
            _note_outputs(step, makers)
        waiting = deque(found.values())
        while waiting:
            step = waiting.popleft()
            for before, data in [
                *_makers_of_inputs(step, makers),
                *((other, "") for other in step.run_after_steps),
            ]:
                if id(before) not in found:
                    if not resolve_closure:
                        raise PipelineValidationError(
                            f"Step {step.name!r} needs step {before.name!r}, which was not given: "
                            f"list it, or leave resolve_closure on."
                        )
                    found[id(before)] = before
                    _note_outputs(before, makers)
                    waiting.append(before)
                self._add_edge(before, step, data)

    def _topological_order(self, steps: Sequence[PipelineStep]) -> list[PipelineStep]:
        before: dict[int, set[int]] = {id(step): set() for step in steps}
        for edge in self._edges.values():
            before[id(edge.after)].add(id(edge.before))
        # As given where the edges leave a choice; a producer that was found through the closure comes first.
        place = {id(step): number for number, step in enumerate(steps)}
        after: dict[int, list[int]] = {id(step): [] for step in steps}
        for step, befores in before.items():
            for other in befores:
                after[other].append(step)
        missing = {step: len(befores) for step, befores in before.items()}
        ordered: list[PipelineStep] = []
        ready = [step for step in missing if not missing[step]]
        while ready:
            ordered += (steps[place[step]] for step in ready)
            released = []
            for step in ready:
                for other in after[step]:
                    missing[other] -= 1
                    if not missing[other]:
                        released.append(other)
            ready = sorted(released, key=place.__getitem__)
        if len(ordered) < len(steps):
            remaining = [step for step in steps if missing[id(step)]]
            raise PipelineValidationError(_describe_cycle(remaining, before))
        return ordered

    def _check_pipeline_outputs(self) -> None:
        seen: dict[str, PipelineStep] = {}
        for step in self.steps:
            for port in step.output_ports:
                name = getattr(port.data, "pipeline_output_name", None)
                if name and seen.setdefault(name, step) is not step:
                    raise PipelineValidationError(
                        f"Step {step.name!r}, argument 'outputs': the pipeline output name {name!r} is "
                        f"already used by step {seen[name].name!r}."
                    )


def _label(name: str) -> str:
    """A name as Mermaid takes it between quotes."""
    return name.strip().replace('"', "#quot;").replace("\n", " ")


def _note_outputs(step: PipelineStep, makers: dict[int, PipelineStep]) -> None:
    for port in step.output_ports:
        other = makers.setdefault(id(port.data.origin), step)
        if other is not step:
            raise two_makers(port.name, other, step)


def _makers_of_inputs(
    step: PipelineStep, makers: Mapping[int, PipelineStep]
) -> Iterable[tuple[PipelineStep, str]]:
    for port in step.input_ports:
        data = port.step_data
        if data is None:
            continue
        made_by = makers.get(id(data.origin)) or maker(data, None)
        if made_by is None:
            raise not_made(step.name, port.name)
        yield made_by, port.name


def _flatten(value: object, add_edge: Any) -> list[PipelineStep]:
    """The steps of ``value``, each once; a StepSequence's order goes to ``add_edge``."""
    if isinstance(value, PipelineStep):
        if value.get_dag() is not None:
            raise PipelineValidationError(
                f"Step {value.name!r} belongs to DAG {value.dag_id!r} already: "
                f"construct a Pipeline's steps outside of 'with DAG(...)'."
            )
        return [value]
    if isinstance(value, (PipelineData, OutputFileDatasetConfig)):
        made_by = maker(value, None)
        if made_by is None:
            raise PipelineValidationError(f"{value!r} is made by no step, so it cannot stand for one.")
        return [made_by]
    if isinstance(value, (list, StepSequence)):
        groups = [_flatten(element, add_edge) for element in value]
        if isinstance(value, StepSequence):
            for before, after in pairwise(groups):
                for first in before:
                    for second in after:
                        add_edge(first, second)
        return [step for group in groups for step in group]
    raise PipelineValidationError(
        f"Can not add object of type {type(value).__name__} to Pipeline. Use steps, lists and StepSequences."
    )


def _describe_cycle(remaining: Sequence[PipelineStep], before: Mapping[int, set[int]]) -> str:
    names = {id(step): step.name for step in remaining}
    path = [id(remaining[0])]
    while path.count(path[-1]) == 1:
        path.append(next(step for step in before[path[-1]] if step in names))
    cycle = path[path.index(path[-1]) :]
    return "The steps form a cycle: " + " after ".join(repr(names[step]) for step in cycle) + "."

"""StepSequence: steps that run one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from mlsteps.steps.base import PipelineStep


class StepSequence:
    """Each element starts when every step of the element before it is done.

    Steps of a DAG get this order at once, steps of a Pipeline when the pipeline is made.

    :param steps: Steps, lists of steps (which run side by side), or further sequences.

    (SDK v1: ``azureml.pipeline.core.StepSequence``.)
    """

    def __init__(self, steps: Sequence[Any] | None = None) -> None:
        self.steps = list(steps or ())
        groups = [list(_steps_of_dags(element)) for element in self.steps]
        for before, after in pairwise(groups):
            for second in after:
                for first in before:
                    second.run_after(first)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"StepSequence({self.steps!r})"


def _steps_of_dags(element: object) -> Iterator[PipelineStep]:
    if isinstance(element, PipelineStep):
        if element.get_dag() is not None:
            yield element
    elif isinstance(element, (list, StepSequence)):
        for inner in element:
            yield from _steps_of_dags(inner)

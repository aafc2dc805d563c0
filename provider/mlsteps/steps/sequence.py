"""StepSequence: steps that run one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


class StepSequence:
    """Each element starts when every step of the element before it is done.

    :param steps: Steps, lists of steps (which run side by side), or further sequences.

    (SDK v1: ``azureml.pipeline.core.StepSequence``.)
    """

    def __init__(self, steps: Sequence[Any] | None = None) -> None:
        self.steps = list(steps or ())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"StepSequence({self.steps!r})"

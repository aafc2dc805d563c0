"""Where a step's script runs. A compute target is handed one job and runs it; a new kind is one new file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlsteps.compute.base import ComputeTarget
from mlsteps.compute.job import PYTHON, JobInput, JobOutcome, JobOutput, JobWatcher, StepJob
from mlsteps.compute.local import LocalCompute
from mlsteps.exceptions import ComputeTargetException

__all__ = [
    "PYTHON",
    "ComputeTarget",
    "JobInput",
    "JobOutcome",
    "JobOutput",
    "JobWatcher",
    "LocalCompute",
    "StepJob",
    "create_compute_target",
]

_KINDS: Mapping[str, type[ComputeTarget]] = {"local": LocalCompute}


def create_compute_target(name: str, settings: Mapping[str, Any]) -> ComputeTarget:
    """The compute target that a workspace's settings describe.

    :param settings: ``type`` and the keyword arguments of that kind of compute.
    :raises ComputeTargetException: an unknown type or setting; the text names what there is.
    """
    options = dict(settings)
    kind = _KINDS.get(str(options.pop("type", "")))
    if kind is None:
        raise ComputeTargetException(
            f"Compute target {name!r} has the unknown type {settings.get('type')!r}; known: {', '.join(_KINDS)}."
        )
    try:
        return kind(name=name, **options)
    except TypeError as error:
        raise ComputeTargetException(f"Compute target {name!r}: {error}") from error

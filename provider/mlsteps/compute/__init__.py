"""Where a step's script runs. A compute target is handed one job and runs it; a new kind is one new file.

What only a running step needs is imported on first use: a DAG file is parsed over and over, and seldom asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlsteps.compute.base import PYTHON, ComputeTarget
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from mlsteps.compute.job import JobInput, JobOutcome, JobOutput, JobSuspended, JobWatcher, StepJob
    from mlsteps.compute.local import LocalCompute

__all__ = [
    "PYTHON",
    "ComputeTarget",
    "JobInput",
    "JobOutcome",
    "JobOutput",
    "JobSuspended",
    "JobWatcher",
    "LocalCompute",
    "StepJob",
    "create_compute_target",
]

# name -> module that defines it
_LATER = {
    "JobInput": "mlsteps.compute.job",
    "JobOutcome": "mlsteps.compute.job",
    "JobOutput": "mlsteps.compute.job",
    "JobSuspended": "mlsteps.compute.job",
    "JobWatcher": "mlsteps.compute.job",
    "LocalCompute": "mlsteps.compute.local",
    "StepJob": "mlsteps.compute.job",
}

# type in a workspace's settings -> name of the class
_KINDS = {"local": "LocalCompute"}


def __getattr__(name: str) -> Any:
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def create_compute_target(name: str, settings: Mapping[str, Any]) -> ComputeTarget:
    """The compute target that a workspace's settings describe.

    :param settings: ``type`` and the keyword arguments of that kind of compute.
    :raises ComputeTargetException: an unknown type or setting; the text names what there is.
    """
    options = dict(settings)
    class_name = _KINDS.get(str(options.pop("type", "")))
    if class_name is None:
        raise ComputeTargetException(
            f"Compute target {name!r} has the unknown type {settings.get('type')!r}; "
            f"known: {', '.join(_KINDS)}."
        )
    kind: type[ComputeTarget] = __getattr__(class_name)
    try:
        return kind(name=name, **options)
    except TypeError as error:
        raise ComputeTargetException(f"Compute target {name!r}: {error}") from error

"""Where a step's script runs. A compute target is handed one job and runs it; a new kind is one new file.

What only a running step needs is imported on first use: a DAG file is parsed over and over, and seldom asks.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlsteps.compute.base import PYTHON, ComputeTarget
from mlsteps.compute.configuration import ComputeConfiguration

if TYPE_CHECKING:
    from mlsteps.compute.aml_compute import AmlCompute
    from mlsteps.compute.data_factory import DataFactoryCompute
    from mlsteps.compute.databricks import DatabricksCompute
    from mlsteps.compute.docker import DockerCompute
    from mlsteps.compute.job import JobInput, JobOutcome, JobOutput, JobSuspended, JobWatcher, StepJob
    from mlsteps.compute.kinds import create_compute_target
    from mlsteps.compute.kubernetes import KubernetesCompute
    from mlsteps.compute.local import LocalCompute
    from mlsteps.compute.remote import RemoteCompute
    from mlsteps.compute.resources import Resources
    from mlsteps.compute.retired import (
        AdlaCompute,
        AksCompute,
        BatchCompute,
        ComputeInstance,
        DsvmCompute,
        HDInsightCompute,
        KustoCompute,
        SynapseCompute,
    )

__all__ = [
    "PYTHON",
    "AdlaCompute",
    "AksCompute",
    "AmlCompute",
    "BatchCompute",
    "ComputeConfiguration",
    "ComputeInstance",
    "ComputeTarget",
    "DataFactoryCompute",
    "DatabricksCompute",
    "DockerCompute",
    "DsvmCompute",
    "HDInsightCompute",
    "JobInput",
    "JobOutcome",
    "JobOutput",
    "JobSuspended",
    "JobWatcher",
    "KubernetesCompute",
    "KustoCompute",
    "LocalCompute",
    "RemoteCompute",
    "Resources",
    "StepJob",
    "SynapseCompute",
    "create_compute_target",
]

# name -> module that defines it
_LATER = {
    "AdlaCompute": "mlsteps.compute.retired",
    "AksCompute": "mlsteps.compute.retired",
    "AmlCompute": "mlsteps.compute.aml_compute",
    "BatchCompute": "mlsteps.compute.retired",
    "ComputeInstance": "mlsteps.compute.retired",
    "DataFactoryCompute": "mlsteps.compute.data_factory",
    "DatabricksCompute": "mlsteps.compute.databricks",
    "DockerCompute": "mlsteps.compute.docker",
    "DsvmCompute": "mlsteps.compute.retired",
    "HDInsightCompute": "mlsteps.compute.retired",
    "JobInput": "mlsteps.compute.job",
    "JobOutcome": "mlsteps.compute.job",
    "JobOutput": "mlsteps.compute.job",
    "JobSuspended": "mlsteps.compute.job",
    "JobWatcher": "mlsteps.compute.job",
    "KubernetesCompute": "mlsteps.compute.kubernetes",
    "KustoCompute": "mlsteps.compute.retired",
    "LocalCompute": "mlsteps.compute.local",
    "RemoteCompute": "mlsteps.compute.remote",
    "Resources": "mlsteps.compute.resources",
    "StepJob": "mlsteps.compute.job",
    "SynapseCompute": "mlsteps.compute.retired",
    "create_compute_target": "mlsteps.compute.kinds",
}


def __getattr__(name: str) -> Any:
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value

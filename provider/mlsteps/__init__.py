"""Azure-Machine-Learning-style pipelines for Apache Airflow.

Every public name is listed in ``__all__`` and imported on first use, so that ``import mlsteps`` costs
nothing in a DAG file, and works inside a script's environment where Airflow is not installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# name -> module that defines it
_PUBLIC = {
    "AmlCompute": "mlsteps.compute",
    "ComputeTarget": "mlsteps.compute",
    "CondaDependencies": "mlsteps.environment",
    "DataFactoryCompute": "mlsteps.compute",
    "DataPath": "mlsteps.data",
    "DataPathComputeBinding": "mlsteps.data",
    "DataReference": "mlsteps.data",
    "DataTransferStep": "mlsteps.steps.data_transfer_step",
    "DatabricksCompute": "mlsteps.compute",
    "DatabricksStep": "mlsteps.steps.databricks_step",
    "Dataset": "mlsteps.data.datasets",
    "DatasetConsumptionConfig": "mlsteps.data",
    "Datastore": "mlsteps.data",
    "DockerCompute": "mlsteps.compute",
    "Environment": "mlsteps.environment",
    "Experiment": "mlsteps.runs",
    "FileDataset": "mlsteps.data.datasets",
    "InputPortDef": "mlsteps.data",
    "KubernetesCompute": "mlsteps.compute",
    "LocalCompute": "mlsteps.compute",
    "Model": "mlsteps.models",
    "Module": "mlsteps.modules",
    "ModuleStep": "mlsteps.steps.module_step",
    "ModuleVersion": "mlsteps.modules",
    "ModuleVersionDescriptor": "mlsteps.modules",
    "OutputFileDatasetConfig": "mlsteps.data",
    "OutputPortDef": "mlsteps.data",
    "ParamDef": "mlsteps.data",
    "Pipeline": "mlsteps.pipeline",
    "PipelineData": "mlsteps.data",
    "PipelineDraft": "mlsteps.publishing",
    "PipelineEndpoint": "mlsteps.publishing",
    "PipelineParameter": "mlsteps.data",
    "PipelineRun": "mlsteps.runs",
    "PortDataReference": "mlsteps.data",
    "PublishedPipeline": "mlsteps.publishing",
    "PythonScriptStep": "mlsteps.steps",
    "RemoteCompute": "mlsteps.compute",
    "ReuseSensor": "mlsteps.sensors",
    "Run": "mlsteps.run",
    "RunConfiguration": "mlsteps.environment",
    "Schedule": "mlsteps.publishing",
    "ScheduleRecurrence": "mlsteps.recurrence",
    "SqlDataReference": "mlsteps.data",
    "StepRun": "mlsteps.runs",
    "StepSequence": "mlsteps.steps",
    "TabularDataset": "mlsteps.data.datasets",
    "TimeZone": "mlsteps.recurrence",
    "Workspace": "mlsteps.workspace",
    "data_asset": "mlsteps.steps.lineage",
    "output_asset": "mlsteps.steps.lineage",
}

__all__ = [  # literal, because type checkers read it; a test holds it against _PUBLIC
    "AmlCompute",
    "ComputeTarget",
    "CondaDependencies",
    "DataFactoryCompute",
    "DataPath",
    "DataPathComputeBinding",
    "DataReference",
    "DataTransferStep",
    "DatabricksCompute",
    "DatabricksStep",
    "Dataset",
    "DatasetConsumptionConfig",
    "Datastore",
    "DockerCompute",
    "Environment",
    "Experiment",
    "FileDataset",
    "InputPortDef",
    "KubernetesCompute",
    "LocalCompute",
    "Model",
    "Module",
    "ModuleStep",
    "ModuleVersion",
    "ModuleVersionDescriptor",
    "OutputFileDatasetConfig",
    "OutputPortDef",
    "ParamDef",
    "Pipeline",
    "PipelineData",
    "PipelineDraft",
    "PipelineEndpoint",
    "PipelineParameter",
    "PipelineRun",
    "PortDataReference",
    "PublishedPipeline",
    "PythonScriptStep",
    "RemoteCompute",
    "ReuseSensor",
    "Run",
    "RunConfiguration",
    "Schedule",
    "ScheduleRecurrence",
    "SqlDataReference",
    "StepRun",
    "StepSequence",
    "TabularDataset",
    "TimeZone",
    "Workspace",
    "__version__",
    "data_asset",
    "output_asset",
]

if TYPE_CHECKING:
    from mlsteps.compute import (
        AmlCompute,
        ComputeTarget,
        DatabricksCompute,
        DataFactoryCompute,
        DockerCompute,
        KubernetesCompute,
        LocalCompute,
        RemoteCompute,
    )
    from mlsteps.data import (
        DataPath,
        DataPathComputeBinding,
        DataReference,
        DatasetConsumptionConfig,
        Datastore,
        InputPortDef,
        OutputFileDatasetConfig,
        OutputPortDef,
        ParamDef,
        PipelineData,
        PipelineParameter,
        PortDataReference,
        SqlDataReference,
    )
    from mlsteps.data.datasets import Dataset, FileDataset, TabularDataset
    from mlsteps.environment import CondaDependencies, Environment, RunConfiguration
    from mlsteps.models import Model
    from mlsteps.modules import Module, ModuleVersion, ModuleVersionDescriptor
    from mlsteps.pipeline import Pipeline
    from mlsteps.publishing import PipelineDraft, PipelineEndpoint, PublishedPipeline, Schedule
    from mlsteps.recurrence import ScheduleRecurrence, TimeZone
    from mlsteps.run import Run
    from mlsteps.runs import Experiment, PipelineRun, StepRun
    from mlsteps.sensors import ReuseSensor
    from mlsteps.steps import PythonScriptStep, StepSequence
    from mlsteps.steps.data_transfer_step import DataTransferStep
    from mlsteps.steps.databricks_step import DatabricksStep
    from mlsteps.steps.lineage import data_asset, output_asset
    from mlsteps.steps.module_step import ModuleStep
    from mlsteps.workspace import Workspace


def __getattr__(name: str) -> Any:
    module = _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"module 'mlsteps' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

"""The sections of a RunConfiguration (SDK v1 ``azureml.core.runconfig``), read by compute targets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlsteps.environment.section import Section


@dataclass(repr=False)
class DockerConfiguration(Section):
    """Whether and how a job runs in a container (SDK v1 ``DockerConfiguration``)."""

    use_docker: bool = False
    shared_volumes: bool = True
    arguments: list[str] = field(default_factory=list)
    shm_size: str | None = "2g"


@dataclass(repr=False)
class HistoryConfiguration(Section):
    """What a run leaves behind (SDK v1 ``HistoryConfiguration``)."""

    output_collection: bool = True
    snapshot_project: bool = True
    directories_to_watch: list[str] = field(default_factory=lambda: ["logs"])


@dataclass(repr=False)
class SparkConfiguration(Section):
    """Spark settings by their Spark names (SDK v1 ``SparkConfiguration``)."""

    configuration: dict[str, Any] = field(default_factory=dict)


@dataclass(repr=False)
class HdiConfiguration(Section):
    """How YARN is asked on HDInsight (SDK v1 ``HdiConfiguration``)."""

    yarn_deploy_mode: str = "cluster"


@dataclass(repr=False)
class AmlComputeConfiguration(Section):
    """The machine a job prefers (SDK v1 ``AmlComputeConfiguration``)."""

    vm_size: str | None = None
    vm_priority: str | None = None
    name: str | None = None
    location: str | None = None
    retain_cluster: bool = False
    node_count: int | None = None
    cluster_max_node_count: int | None = None


@dataclass(repr=False)
class MpiConfiguration(Section):
    """Processes of an MPI job (SDK v1 ``MpiConfiguration``)."""

    process_count_per_node: int = 1
    node_count: int = 1


@dataclass(repr=False)
class TensorflowConfiguration(Section):
    """Roles of a distributed TensorFlow job (SDK v1 ``TensorflowConfiguration``)."""

    worker_count: int = 1
    parameter_server_count: int = 1


@dataclass(repr=False)
class PyTorchConfiguration(Section):
    """Processes of a distributed PyTorch job (SDK v1 ``PyTorchConfiguration``)."""

    communication_backend: str = "Nccl"
    process_count: int | None = None
    node_count: int = 1


@dataclass(repr=False)
class ParallelTaskConfiguration(Section):
    """Workers of a parallel task (SDK v1 ``ParallelTaskConfiguration``)."""

    max_retries_per_worker: int = 0
    worker_count_per_node: int = 1
    terminal_exit_codes: list[int] | None = None

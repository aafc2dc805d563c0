"""What a step's script runs in: packages, Python version, environment variables, container image."""

from mlsteps.environment.build_context import DockerBuildContext
from mlsteps.environment.conda_dependencies import CondaDependencies
from mlsteps.environment.databricks import (
    DatabricksCluster,
    EggLibrary,
    JarLibrary,
    MavenLibrary,
    PyPiLibrary,
    RCranLibrary,
)
from mlsteps.environment.environment import Environment
from mlsteps.environment.identity import environment_identity
from mlsteps.environment.image_builder import BuiltImage, ImageBuilder
from mlsteps.environment.image_engine import RegistryLogin
from mlsteps.environment.image_probe import ImageFacts
from mlsteps.environment.images import DEFAULT_CPU_IMAGE, DEFAULT_GPU_IMAGE, MPI_CPU_IMAGE, MPI_GPU_IMAGE
from mlsteps.environment.lock import EnvironmentLock
from mlsteps.environment.lock_store import EnvironmentLocks, lock_for
from mlsteps.environment.plan import EnvironmentKind, EnvironmentPlan, plan_environment
from mlsteps.environment.python_for import python_for
from mlsteps.environment.run_configuration import RunConfiguration
from mlsteps.environment.run_sections import (
    AmlComputeConfiguration,
    DockerConfiguration,
    HdiConfiguration,
    HistoryConfiguration,
    MpiConfiguration,
    ParallelTaskConfiguration,
    PyTorchConfiguration,
    SparkConfiguration,
    TensorflowConfiguration,
)
from mlsteps.environment.sections import (
    ContainerRegistry,
    DatabricksSection,
    DockerSection,
    PythonSection,
    SparkSection,
)
from mlsteps.environment.spec import PythonEnvironmentSpec
from mlsteps.environment.venv import VirtualEnvironments

__all__ = [
    "DEFAULT_CPU_IMAGE",
    "DEFAULT_GPU_IMAGE",
    "MPI_CPU_IMAGE",
    "MPI_GPU_IMAGE",
    "AmlComputeConfiguration",
    "BuiltImage",
    "CondaDependencies",
    "ContainerRegistry",
    "DatabricksCluster",
    "DatabricksSection",
    "DockerBuildContext",
    "DockerConfiguration",
    "DockerSection",
    "EggLibrary",
    "Environment",
    "EnvironmentKind",
    "EnvironmentLock",
    "EnvironmentLocks",
    "EnvironmentPlan",
    "HdiConfiguration",
    "HistoryConfiguration",
    "ImageBuilder",
    "ImageFacts",
    "JarLibrary",
    "MavenLibrary",
    "MpiConfiguration",
    "ParallelTaskConfiguration",
    "PyPiLibrary",
    "PyTorchConfiguration",
    "PythonEnvironmentSpec",
    "PythonSection",
    "RCranLibrary",
    "RegistryLogin",
    "RunConfiguration",
    "SparkConfiguration",
    "SparkSection",
    "TensorflowConfiguration",
    "VirtualEnvironments",
    "environment_identity",
    "lock_for",
    "plan_environment",
    "python_for",
]

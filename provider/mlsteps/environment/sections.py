"""The sections of an Environment: docker, python, spark, databricks (SDK v1 ``azureml.core.environment``)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlsteps.environment.build_context import DockerBuildContext
from mlsteps.environment.conda_dependencies import CondaDependencies
from mlsteps.environment.databricks import (
    LIBRARY_KINDS,
    DatabricksCluster,
    EggLibrary,
    JarLibrary,
    MavenLibrary,
    PyPiLibrary,
    RCranLibrary,
)
from mlsteps.environment.images import DEFAULT_CPU_IMAGE
from mlsteps.environment.section import SECRET, Section


@dataclass(repr=False)
class ContainerRegistry(Section):
    """Where a private image is (SDK v1 ``ContainerRegistry``). The password is never saved or shown."""

    address: str | None = None
    username: str | None = None
    password: str | None = field(default=None, metadata=SECRET)
    registry_identity: Any = None


@dataclass(repr=False)
class DockerSection(Section):
    """The container a job asks for (SDK v1 ``DockerSection``).

    ``base_image`` is ``DEFAULT_CPU_IMAGE`` unless set, which means no particular image. Of it,
    ``base_dockerfile`` (text, path or open file) and ``build_context`` only the one that was set last counts.
    ``enabled`` is SDK v1's older switch; the newer one is ``RunConfiguration.docker.use_docker``.
    """

    enabled: bool = False
    base_image: str | None = DEFAULT_CPU_IMAGE
    base_dockerfile: str | None = None
    base_image_registry: ContainerRegistry = field(default_factory=ContainerRegistry)
    build_context: Any = None
    platform: Any = None
    shared_volumes: bool = True
    gpu_support: bool = False
    shm_size: str | None = "2g"
    arguments: list[str] = field(default_factory=list)

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            if name == "base_dockerfile" and hasattr(value, "read"):
                value = value.read()
            super().__setattr__(name, value)
            if name in _ONE_OF and value:
                for other in _ONE_OF:
                    if other != name and self.__dict__.get(other):
                        super().__setattr__(other, None)

    def _set_plain(self, name: str, value: Any) -> None:
        if name == "build_context" and isinstance(value, Mapping):
            value = DockerBuildContext.from_plain(value)
        super()._set_plain(name, value)


_ONE_OF = ("base_image", "base_dockerfile", "build_context")


@dataclass(repr=False)
class PythonSection(Section):
    """The Python a job asks for (SDK v1 ``PythonSection``).

    ``user_managed_dependencies=True`` means that ``interpreter_path`` has everything already; otherwise
    ``conda_dependencies`` says what to install.
    """

    user_managed_dependencies: bool = False
    interpreter_path: str = "python"
    base_conda_environment: str | None = None
    conda_dependencies: CondaDependencies = field(default_factory=CondaDependencies)

    @property
    def conda_dependencies_file(self) -> str | None:
        """The conda specification file; setting it replaces ``conda_dependencies``."""
        return self.conda_dependencies.file_path

    @conda_dependencies_file.setter
    def conda_dependencies_file(self, path: str | os.PathLike[str] | None) -> None:
        self.conda_dependencies = CondaDependencies(path)

    def _set_plain(self, name: str, value: Any) -> None:
        if name == "conda_dependencies":
            value = CondaDependencies(_underlying_structure=value if isinstance(value, Mapping) else None)
        elif name == "conda_dependencies_file" and value is None:
            return  # the usual null beside inline dependencies: not a wish to forget them
        super()._set_plain(name, value)


@dataclass(repr=False)
class SparkSection(Section):
    """Maven packages of a Spark job (SDK v1 ``SparkSection``)."""

    repositories: list[str] = field(default_factory=list)
    packages: list[Any] = field(default_factory=list)
    precache_packages: bool = True


@dataclass(repr=False)
class DatabricksSection(Section):
    """Libraries and cluster of a Databricks job (SDK v1 ``DatabricksSection``)."""

    maven_libraries: list[MavenLibrary] = field(default_factory=list)
    pypi_libraries: list[PyPiLibrary] = field(default_factory=list)
    rcran_libraries: list[RCranLibrary] = field(default_factory=list)
    jar_libraries: list[JarLibrary] = field(default_factory=list)
    egg_libraries: list[EggLibrary] = field(default_factory=list)
    cluster: DatabricksCluster | None = None

    def _set_plain(self, name: str, value: Any) -> None:
        if name in LIBRARY_KINDS and isinstance(value, (list, tuple)):
            kind = LIBRARY_KINDS[name]
            value = [kind.from_plain(one) if isinstance(one, Mapping) else one for one in value]
        elif name == "cluster" and isinstance(value, Mapping):
            value = DatabricksCluster.from_plain(value)
        super()._set_plain(name, value)

"""``Environment``: what a step's script runs in (SDK v1 ``azureml.core.Environment``)."""

from __future__ import annotations

import copy
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mlsteps.environment.conda_dependencies import CONDA_FILE_NAME, CondaDependencies
from mlsteps.environment.files import locate
from mlsteps.environment.image_context import is_dockerfile_text
from mlsteps.environment.section import Section
from mlsteps.environment.sections import (
    ContainerRegistry,
    DatabricksSection,
    DockerSection,
    PythonSection,
    SparkSection,
)
from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.environment.build_context import DockerBuildContext
    from mlsteps.environment.building import ImageBuildDetails
    from mlsteps.workspace import Workspace

DEFINITION_FILE_NAME = "azureml_environment.json"


@dataclass(repr=False)
class Environment(Section):
    """Python packages, environment variables and container of a step (SDK v1 ``Environment``).

    An environment that asks for nothing (no package, Python version, interpreter or image) is the worker's
    own interpreter; ``plan_environment`` makes that decision. Constructing one reads no file and asks no
    network.

    Args:
        name: what it is called in logs and records.
        version: of a registered environment.
        python: interpreter and packages.
        docker: container image.
        spark: Maven packages.
        databricks: libraries of a Databricks cluster.
        environment_variables: set for the script. Values may be secrets: ``repr`` shows the names only.

    Raises:
        UserErrorException: ``name`` is empty or not a text.
        AttributeError: on setting an attribute that an environment does not have.
    """

    _strict: ClassVar[bool] = True

    name: str = "environment"
    version: str | None = None
    python: PythonSection = field(default_factory=PythonSection)
    docker: DockerSection = field(default_factory=DockerSection)
    spark: SparkSection = field(default_factory=SparkSection)
    databricks: DatabricksSection = field(default_factory=DatabricksSection)
    environment_variables: dict[str, str] = field(default_factory=dict)
    inferencing_stack_version: str | None = None
    r: Any = None
    asset_id: str | None = None

    def __post_init__(self) -> None:
        if not str(self.name or "").strip():
            raise UserErrorException(
                f"An environment's name must be a text and not empty, not {self.name!r}."
            )

    @staticmethod
    def from_conda_specification(name: str, file_path: str | os.PathLike[str]) -> Environment:
        """Return an environment with the packages of a conda YAML file, read when first needed.

        Raises:
            UserErrorException: the file does not exist.
        """
        made = Environment(name)
        made.python.conda_dependencies = CondaDependencies(file_path)
        return made

    @staticmethod
    def from_pip_requirements(
        name: str, file_path: str | os.PathLike[str], pip_version: str | None = None
    ) -> Environment:
        """Return an environment with the packages of a pip requirements file, read when first needed.

        ``pip_version`` is accepted for SDK v1's sake; the builder brings its own installer.

        Raises:
            UserErrorException: the file does not exist.
        """
        made = Environment(name)
        made.python.conda_dependencies = CondaDependencies.from_requirements_file(file_path)
        return made

    @staticmethod
    def from_docker_image(
        name: str,
        image: str,
        container_registry: ContainerRegistry | None = None,
        conda_specification: str | os.PathLike[str] | None = None,
        pip_requirements: str | os.PathLike[str] | None = None,
    ) -> Environment:
        """Return an environment that is a container image, with packages from one of the two files added.

        Without a file the image is used as it is, with the Python that it has.

        Raises:
            UserErrorException: both files are given, or the one given does not exist.
        """
        if conda_specification is not None and pip_requirements is not None:
            raise UserErrorException("Give either conda_specification or pip_requirements, not both.")
        if conda_specification is not None:
            made = Environment.from_conda_specification(name, conda_specification)
        elif pip_requirements is not None:
            made = Environment.from_pip_requirements(name, pip_requirements)
        else:
            made = Environment(name)
            made.python.user_managed_dependencies = True
        made.docker.base_image = image or None
        if container_registry is not None:
            made.docker.base_image_registry = container_registry
        return made

    @staticmethod
    def from_dockerfile(
        name: str,
        dockerfile: str | os.PathLike[str],
        conda_specification: str | os.PathLike[str] | None = None,
        pip_requirements: str | os.PathLike[str] | None = None,
    ) -> Environment:
        """Return an environment that is an image made from a Dockerfile, with packages of one file added.

        Args:
            name: what it is called.
            dockerfile: the text of a Dockerfile, or the path of one; that is read when it is first needed.
            conda_specification: a conda YAML file.
            pip_requirements: a pip requirements file.

        Raises:
            UserErrorException: both files are given, or one that is given does not exist.
        """
        made = Environment.from_docker_image(name, "", None, conda_specification, pip_requirements)
        is_text = isinstance(dockerfile, str) and is_dockerfile_text(dockerfile)
        made.docker.base_dockerfile = str(dockerfile if is_text else locate(dockerfile, "Dockerfile"))
        return made

    @staticmethod
    def from_docker_build_context(name: str, docker_build_context: DockerBuildContext) -> Environment:
        """Return an environment that is an image made from a folder with a Dockerfile."""
        made = Environment(name)
        made.python.user_managed_dependencies = True
        made.docker.build_context = docker_build_context
        return made

    @staticmethod
    def from_existing_conda_environment(name: str, conda_environment_name: str) -> Environment | None:
        """Return an environment with the packages of a conda environment of this machine.

        As in SDK v1, ``None`` if there is no such environment.

        Raises:
            EnvironmentBuildError: there is no conda on this machine.
        """
        from mlsteps.environment.conda import export_environment

        exported = export_environment(conda_environment_name)
        if exported is None:
            return None
        made = Environment(name)
        made.python.conda_dependencies = CondaDependencies(_underlying_structure=exported)
        return made

    @staticmethod
    def get(
        workspace: Workspace, name: str, version: str | None = None, label: str | None = None
    ) -> Environment:
        """Return an environment that is registered in a workspace, the newest version by default.

        Read when something of it is first asked for, so a DAG file may call this. ``AzureML-...`` names give
        ordinary packages in place of Azure ML's curated environments; see the documentation for which.

        Raises:
            WorkspaceException: it is not registered; raised at once if the workspace is a folder, else when
                it is first used.
        """
        from mlsteps.environment.registry import get_environment

        return get_environment(workspace, name, version, label)

    @staticmethod
    def list(workspace: Workspace) -> dict[str, Environment]:
        """Return the newest version of every environment, by name; some curated ones too."""
        from mlsteps.environment.registry import Environments

        return dict(Environments(workspace))

    def register(self, workspace: Workspace) -> Environment:
        """Keep this environment under its name and return it with its version.

        Versions count up. If the newest one asks for the same it serves, and there is no other. Credentials
        are not kept, nor are variables that look like secrets; a build context is copied to the workspace.

        Raises:
            UserErrorException: the name is reserved, or there is a credential in the Dockerfile.
        """
        from mlsteps.environment.registry import register

        return register(self, workspace)

    def build(self, workspace: Workspace, image_build_compute: Any = None) -> ImageBuildDetails:
        """Make what a step with this environment would find made, in the background.

        That is the image, if this environment names an image, a Dockerfile or a build context; else the
        virtual environment on this machine. ``image_build_compute`` is accepted for SDK v1's sake.
        """
        from mlsteps.environment.building import start_build

        return start_build(self, workspace)

    def build_local(self, workspace: Workspace, platform: Any = None, **kwargs: Any) -> ImageBuildDetails:
        """Make the virtual environment on this machine, or with ``useDocker=True`` the image; wait for it.

        Raises:
            EnvironmentBuildError: it could not be made.
            RunConfigurationException: there is nothing to make.
        """
        from mlsteps.environment.building import build_here

        return build_here(self, workspace, use_docker=bool(kwargs.get("useDocker", False)))

    def clone(self, new_name: str) -> Environment:
        """Return an independent copy under another name; it has no version yet."""
        made = copy.deepcopy(self)
        made.name, made.version, made.asset_id = new_name, None, None
        made.__post_init__()
        return made

    def save_to_directory(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Write the definition into a folder: one JSON file, and the packages as a conda file beside it.

        Credentials in index URLs and the registry's password are not written.

        Raises:
            UserErrorException: the folder exists and ``overwrite`` is not set.
        """
        folder = Path(path)
        if folder.exists() and not overwrite:
            raise UserErrorException(f"{str(folder)!r} exists already. Give overwrite=True to write into it.")
        folder.mkdir(parents=True, exist_ok=True)
        plain = self.to_plain()
        del plain["python"]["condaDependencies"]
        text = json.dumps(plain, indent=4, sort_keys=True)
        (folder / DEFINITION_FILE_NAME).write_text(f"{text}\n", encoding="utf-8")
        self.python.conda_dependencies.save(folder / CONDA_FILE_NAME)

    @staticmethod
    def load_from_directory(path: str | os.PathLike[str]) -> Environment:
        """Return the environment that ``save_to_directory`` wrote, by this package or by SDK v1.

        Raises:
            UserErrorException: the folder holds no definition, or one that cannot be read.
        """
        definition = locate(Path(path) / DEFINITION_FILE_NAME, "Environment definition")
        try:
            plain = json.loads(definition.read_text(encoding="utf-8"))
            made = Environment.from_plain(plain)
        except (ValueError, AttributeError, TypeError) as error:
            problem = f"{str(definition)!r} is not an environment definition: {error}"
            raise UserErrorException(problem) from error
        packages = definition.parent / CONDA_FILE_NAME
        if packages.is_file():
            made.python.conda_dependencies = CondaDependencies(packages)
        return made

    def __repr__(self) -> str:
        return (
            f"Environment(name={self.name!r}, version={self.version!r}, python={self.python!r}, "
            f"docker={self.docker.base_image!r}, environment_variables={sorted(self.environment_variables)})"
        )

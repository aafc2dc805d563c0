"""``Environment``: what a step's script runs in (SDK v1 ``azureml.core.Environment``)."""

from __future__ import annotations

import copy
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from mlsteps.environment.conda_dependencies import CONDA_FILE_NAME, CondaDependencies
from mlsteps.environment.files import locate
from mlsteps.environment.section import Section
from mlsteps.environment.sections import (
    ContainerRegistry,
    DatabricksSection,
    DockerSection,
    PythonSection,
    SparkSection,
)
from mlsteps.exceptions import UserErrorException

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
        made.docker.base_image = image
        if container_registry is not None:
            made.docker.base_image_registry = container_registry
        return made

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

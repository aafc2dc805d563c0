"""``RunConfiguration``: how a script is run, apart from its data (SDK v1 ``azureml.core.runconfig``)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from mlsteps.environment.conda_dependencies import CONDA_FILE_NAME, CondaDependencies
from mlsteps.environment.environment import Environment
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
from mlsteps.environment.section import Section
from mlsteps.exceptions import RunConfigurationException, UserErrorException

_FRAMEWORKS = ("Python", "PySpark", "TensorFlow", "PyTorch", "R")
_COMMUNICATORS = ("None", "ParameterServer", "OpenMpi", "IntelMpi", "Mpi", "Nccl", "ParallelTask")
_FOLDERS = (".azureml", "aml_config")
_SUFFIX = ".runconfig"


@dataclass(repr=False, init=False)
class RunConfiguration(Section):
    """Environment, compute target, number of nodes, time limit of a script (SDK v1 ``RunConfiguration``).

    Args:
        script: the script, relative to the source directory. A step's own script goes before it.
        arguments: for the script; a step's own arguments go before them.
        framework: ``Python`` (default), ``PySpark``, ``TensorFlow``, ``PyTorch`` or ``R``; case does not
            matter.
        communicator: ``None`` (default), ``ParameterServer``, ``OpenMpi``, ``IntelMpi``, ``Mpi``, ``Nccl`` or
            ``ParallelTask``.
        conda_dependencies: the packages, as ``environment.python.conda_dependencies``.
        command: run instead of a script.

    Raises:
        UserErrorException: unknown framework or communicator.
        AttributeError: on setting an attribute that a run configuration does not have.
    """

    _strict: ClassVar[bool] = True

    script: str | None = None
    command: str | list[Any] | None = None
    arguments: list[Any] = field(default_factory=list)
    target: Any = "local"
    framework: str = "Python"
    communicator: str = "None"
    max_run_duration_seconds: int | None = None
    node_count: int = 1
    priority: int | None = None
    environment: Environment = field(default_factory=lambda: Environment("default"))
    history: HistoryConfiguration = field(default_factory=HistoryConfiguration)
    spark: SparkConfiguration = field(default_factory=SparkConfiguration)
    docker: DockerConfiguration = field(default_factory=DockerConfiguration)
    hdi: HdiConfiguration = field(default_factory=HdiConfiguration)
    tensorflow: TensorflowConfiguration = field(default_factory=TensorflowConfiguration)
    mpi: MpiConfiguration = field(default_factory=MpiConfiguration)
    pytorch: PyTorchConfiguration = field(default_factory=PyTorchConfiguration)
    paralleltask: ParallelTaskConfiguration = field(default_factory=ParallelTaskConfiguration)
    data_references: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    datacaches: list[Any] = field(default_factory=list)
    output_data: dict[str, Any] = field(default_factory=dict)
    amlcompute: AmlComputeConfiguration = field(default_factory=AmlComputeConfiguration)
    kubernetescompute: Any = None
    services: dict[str, Any] = field(default_factory=dict)
    source_directory_data_store: str | None = None
    auto_cluster_compute_specification: Any = None
    credential_passthrough: bool = False

    def __init__(
        self,
        script: str | None = None,
        arguments: Iterable[Any] | None = None,
        framework: str | None = None,
        communicator: str | None = None,
        conda_dependencies: CondaDependencies | None = None,
        _history_enabled: bool | None = None,
        _path: str | os.PathLike[str] | None = None,
        _name: str | None = None,
        command: str | list[Any] | None = None,
    ) -> None:
        for item in type(self).__dataclass_fields__.values():
            if callable(item.default_factory):
                setattr(self, item.name, item.default_factory())
        self.script, self.command = script, command
        self.arguments = list(arguments or [])
        self.framework = _one_of(_FRAMEWORKS, framework or "Python", "framework")
        self.communicator = _one_of(_COMMUNICATORS, communicator or "None", "communicator")
        if conda_dependencies is not None:
            self.environment.python.conda_dependencies = conda_dependencies
        if _history_enabled is not None:
            self.history.output_collection = _history_enabled
        self._path, self._name = _path, _name

    @property
    def environment_variables(self) -> dict[str, str]:
        """The environment's variables; setting it replaces them."""
        return self.environment.environment_variables

    @environment_variables.setter
    def environment_variables(self, variables: dict[str, str]) -> None:
        self.environment.environment_variables = variables

    @property
    def auto_prepare_environment(self) -> bool:
        """Always true: an environment is made when the first step needs it. SDK v1 let it be switched off."""
        return True

    @auto_prepare_environment.setter
    def auto_prepare_environment(self, value: bool) -> None:
        pass  # old code sets it; both answers mean the same here

    def save(
        self,
        path: str | os.PathLike[str] | None = None,
        name: str | None = None,
        separate_environment_yaml: bool = False,
    ) -> str:
        """Write a run configuration file and return its path. Credentials are not written.

        Args:
            path: a file, or a folder, in which it becomes ``.azureml/<name>.runconfig``; by default the
                working one.
            name: of the configuration in a folder; by default the target's.
            separate_environment_yaml: write the packages as a conda file beside it, instead of inside it.
        """
        import yaml

        file = _file_of(path if path is not None else self._path, name or self._name or self._target_name())
        file.parent.mkdir(parents=True, exist_ok=True)
        plain = self.to_plain()
        plain["target"] = self._target_name()
        if separate_environment_yaml:
            python = plain["environment"]["python"]
            del python["condaDependencies"]
            python["condaDependenciesFile"] = CONDA_FILE_NAME
            self.environment.python.conda_dependencies.save(file.parent / CONDA_FILE_NAME)
        file.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
        return str(file)

    @staticmethod
    def load(path: str | os.PathLike[str], name: str | None = None) -> RunConfiguration:
        """Return the configuration in a file, or called ``name`` in a folder; SDK v1's own files can be read.

        Raises:
            RunConfigurationException: there is no such file, or it is not a run configuration.
        """
        import yaml

        file = _existing_file(path, name)
        try:
            plain = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            problem = f"Run configuration {str(file)!r} cannot be read: {error}"
            raise RunConfigurationException(problem) from error
        if not isinstance(plain, dict):
            raise RunConfigurationException(f"{str(file)!r} is not a run configuration: no settings in it.")
        _locate_conda_file(plain, file)
        made = RunConfiguration.from_plain(plain)
        made._path, made._name = path, name
        return made

    @staticmethod
    def delete(path: str | os.PathLike[str], name: str) -> None:
        """Delete the configuration called ``name`` in a folder.

        Raises:
            RunConfigurationException: there is none.
        """
        _existing_file(path, name).unlink()

    def _target_name(self) -> str:
        return str(getattr(self.target, "name", self.target))

    def _set_plain(self, name: str, value: Any) -> None:
        if name == "framework":
            value = _one_of(_FRAMEWORKS, value or "Python", name)
        elif name == "communicator":
            value = _one_of(_COMMUNICATORS, value or "None", name)
        super()._set_plain(name, value)


def _locate_conda_file(plain: dict[str, Any], file: Path) -> None:
    """Make the path of the conda file in ``plain`` absolute.

    It is named as seen from the file that names it, or from the project's folder, where SDK v1 put
    ``.azureml``.
    """
    environment = plain.get("environment")
    python = environment.get("python") if isinstance(environment, dict) else None
    name = python.get("condaDependenciesFile") if isinstance(python, dict) else None
    for folder in (file.parent, file.parent.parent):
        if name and isinstance(python, dict) and (folder / name).is_file():
            python["condaDependenciesFile"] = str(folder / name)
            return


def _one_of(choices: tuple[str, ...], value: str, argument: str) -> str:
    for choice in choices:
        if choice.lower() == str(value).lower():
            return choice
    raise UserErrorException(f"RunConfiguration: {argument} {value!r} is none of {', '.join(choices)}.")


def _file_of(path: str | os.PathLike[str] | None, name: str) -> Path:
    base = Path(path) if path is not None else Path.cwd()
    is_file = base.is_file() or (base.suffix and not base.is_dir())
    return base if is_file else base / _FOLDERS[0] / f"{name}{_SUFFIX}"


def _existing_file(path: str | os.PathLike[str], name: str | None) -> Path:
    base = Path(path)
    candidates = [base]
    if name is not None:
        candidates = [folder / f"{name}{_SUFFIX}" for folder in (*(base / f for f in _FOLDERS), base)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    looked = ", ".join(str(candidate) for candidate in candidates)
    raise RunConfigurationException(
        f"There is no run configuration {name or str(path)!r} (looked for {looked})."
    )

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from mlsteps.environment import (
    DEFAULT_CPU_IMAGE,
    CondaDependencies,
    Environment,
    RunConfiguration,
)
from mlsteps.exceptions import RunConfigurationException, UserErrorException

SDK_V1_FILE = """
script: train.py
arguments: []
target: cpu-cluster
framework: python
communicator: none
maxRunDurationSeconds: 1200
nodeCount: 2
environment:
  name: project
  python:
    userManagedDependencies: false
    interpreterPath: python
    condaDependenciesFile: .azureml/conda_dependencies.yml
  environmentVariables:
    EXAMPLE: value
  docker:
    enabled: true
    baseImage: mcr.microsoft.com/azureml/base:0.2.4
    sharedVolumes: true
  spark: null
  someThingNewer: 1
history:
  outputCollection: false
dataReferences: null
mpi:
  processCountPerNode: 3
"""


def test_what_public_code_sets() -> None:
    run_config = RunConfiguration(framework="python", conda_dependencies=CondaDependencies())
    run_config.environment.docker.enabled = True
    run_config.environment.docker.base_image = DEFAULT_CPU_IMAGE
    run_config.environment.docker.base_image_registry.username = "me"
    run_config.environment.python.user_managed_dependencies = False
    run_config.environment.python.conda_dependencies = CondaDependencies.create(pip_packages=["six"])
    run_config.environment.environment_variables["A"] = "1"
    run_config.environment.spark.precache_packages = False
    run_config.environment_variables = {"B": "2"}
    run_config.auto_prepare_environment = True
    run_config.target = SimpleNamespace(name="cpu-cluster")
    run_config.node_count = 2
    run_config.max_run_duration_seconds = 60
    run_config.docker.use_docker = True
    run_config.hdi.yarn_deploy_mode = "client"
    run_config.spark.configuration["spark.driver.memory"] = "2g"
    run_config.history.output_collection = True
    run_config.mpi.process_count_per_node = 2
    assert run_config.environment.environment_variables == {"B": "2"}
    assert run_config.framework == "Python"


def test_defaults_are_not_shared() -> None:
    one, two = RunConfiguration(), RunConfiguration()
    one.environment_variables["A"] = "1"
    one.arguments.append("--x")
    assert two.environment_variables == {}
    assert two.arguments == []
    assert copy.deepcopy(one) == one != two


@pytest.mark.parametrize(
    ("target", "name", "near"),
    [
        (RunConfiguration(), "enviroment", "environment"),
        (RunConfiguration(), "nodecount", "node_count"),
        (Environment("x"), "pyton", "python"),
        (Environment("x"), "environment_variable", "environment_variables"),
    ],
)
def test_misspelt_name_is_an_error(target: object, name: str, near: str) -> None:
    with pytest.raises(AttributeError, match=f"did you mean '{near}'"):
        setattr(target, name, 1)


def test_misspelt_name_in_a_section_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    run_config = RunConfiguration()
    setattr(run_config.environment.docker, "base_imge", "x")  # noqa: B010  (what a type checker would refuse)
    assert "did you mean 'base_image'?" in caplog.text


@pytest.mark.parametrize("argument", ["framework", "communicator"])
def test_unknown_choice(argument: str) -> None:
    with pytest.raises(UserErrorException, match=f"{argument} 'Cobol' is none of"):
        RunConfiguration(**{argument: "Cobol"})  # type: ignore[arg-type]


def test_sdk_v1_file_is_read(tmp_path: Path) -> None:
    folder = tmp_path / ".azureml"
    folder.mkdir()
    (folder / "cpu.runconfig").write_text(SDK_V1_FILE)
    (folder / "conda_dependencies.yml").write_text("dependencies: [python=3.10, {pip: [six]}]")
    read = RunConfiguration.load(tmp_path, "cpu")
    assert (read.script, read.target, read.framework, read.communicator) == (
        "train.py",
        "cpu-cluster",
        "Python",
        "None",
    )
    assert (read.max_run_duration_seconds, read.node_count, read.mpi.process_count_per_node) == (1200, 2, 3)
    assert read.environment.name == "project"
    assert read.environment.python.conda_dependencies.pip_packages == ["six"]
    assert read.environment_variables == {"EXAMPLE": "value"}
    assert read.environment.docker.enabled and not read.history.output_collection
    assert read.data_references == {}


@pytest.mark.parametrize("separate", [False, True])
def test_saved_and_read_again(tmp_path: Path, separate: bool) -> None:
    made = RunConfiguration(
        "train.py", ["--a", 1], conda_dependencies=CondaDependencies.create(pip_packages=["six"])
    )
    made.environment.docker.base_image_registry.password = "hunter2"
    made.environment.python.conda_dependencies.set_pip_index_url("https://me:hunter2@host/simple")
    made.target = SimpleNamespace(name="cluster")
    file = Path(made.save(tmp_path, "mine", separate_environment_yaml=separate))
    assert file == tmp_path / ".azureml" / "mine.runconfig"
    assert not any("hunter2" in part.read_text() for part in file.parent.iterdir())
    assert yaml.safe_load(file.read_text())["nodeCount"] == 1
    read = RunConfiguration.load(tmp_path, "mine")
    assert (read.script, read.arguments, read.target) == ("train.py", ["--a", 1], "cluster")
    assert read.environment.python.conda_dependencies.pip_packages == ["six"]
    RunConfiguration.delete(tmp_path, "mine")
    assert not file.exists()


def test_section_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.runconfig").write_text("environment: project")
    with pytest.raises(UserErrorException, match="'environment' must hold settings"):
        RunConfiguration.load(tmp_path / "x.runconfig")


def test_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(RunConfigurationException, match="no run configuration 'mine'"):
        RunConfiguration.load(tmp_path, "mine")
    (tmp_path / "x.yml").write_text("- 1")
    with pytest.raises(RunConfigurationException, match="not a run configuration"):
        RunConfiguration.load(tmp_path / "x.yml")


def test_repr_names_variables_without_values() -> None:
    run_config = RunConfiguration()
    run_config.environment_variables = {"TOKEN": "hunter2"}
    run_config.environment.docker.base_image_registry.password = "hunter2"
    assert "TOKEN" in repr(run_config)
    assert "hunter2" not in repr(run_config)

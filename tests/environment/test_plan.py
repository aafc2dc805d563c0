from __future__ import annotations

import copy
import pickle
import sys
from pathlib import Path

import pytest

from mlsteps.environment import (
    DEFAULT_CPU_IMAGE,
    DEFAULT_GPU_IMAGE,
    CondaDependencies,
    Environment,
    EnvironmentKind,
    RunConfiguration,
    VirtualEnvironments,
    plan_environment,
    python_for,
)
from mlsteps.exceptions import RunConfigurationException


@pytest.fixture
def environments(tmp_path: Path) -> VirtualEnvironments:
    return VirtualEnvironments(tmp_path / "environments")


@pytest.mark.parametrize(
    "source",
    [
        None,
        RunConfiguration(),
        Environment("x"),
        CondaDependencies(),
        CondaDependencies.create(pip_packages=["azureml-defaults"], conda_packages=["pip=20"]),
    ],
)
def test_nothing_asked_is_the_workers_own(source: object, environments: VirtualEnvironments) -> None:
    assert plan_environment(source).kind is EnvironmentKind.WORKER  # type: ignore[arg-type]
    assert python_for(source, environments) == Path(sys.executable)  # type: ignore[arg-type]
    assert not environments.root.exists()


@pytest.mark.parametrize(
    "image", [DEFAULT_CPU_IMAGE, DEFAULT_GPU_IMAGE, "mcr.microsoft.com/azureml/base:0.2.4", None]
)
def test_empty_base_image_is_no_image(image: str | None) -> None:
    run_config = RunConfiguration(conda_dependencies=CondaDependencies.create(pip_packages=["six"]))
    run_config.environment.docker.enabled = True
    run_config.environment.docker.base_image = image
    plan = plan_environment(run_config)
    assert plan.kind is EnvironmentKind.VIRTUALENV
    assert plan.spec is not None and plan.spec.requirements == ("six",)


def test_python_version_alone_is_an_environment() -> None:
    assert (
        plan_environment(CondaDependencies.create(python_version="3.10")).kind is EnvironmentKind.VIRTUALENV
    )


def test_user_managed(environments: VirtualEnvironments) -> None:
    made = Environment("x")
    made.python.user_managed_dependencies = True
    made.python.conda_dependencies.add_pip_package("six")
    assert plan_environment(made).kind is EnvironmentKind.WORKER
    made.python.interpreter_path = sys.executable
    assert plan_environment(made).kind is EnvironmentKind.INTERPRETER
    assert python_for(made, environments) == Path(sys.executable)
    made.python.interpreter_path = "/no/such/python"
    with pytest.raises(RunConfigurationException, match="/no/such/python"):
        python_for(made, environments)


def test_container(environments: VirtualEnvironments) -> None:
    made = Environment.from_docker_image("x", "host/image:1")
    made.environment_variables = {"A": "hunter2"}
    plan = plan_environment(made)
    assert (plan.kind, plan.image, plan.spec) == (EnvironmentKind.CONTAINER, "host/image:1", None)
    assert dict(plan.environment_variables) == {"A": "hunter2"}
    assert "hunter2" not in repr(plan)
    assert copy.deepcopy(plan) == pickle.loads(pickle.dumps(plan)) == plan
    with pytest.raises(RunConfigurationException, match="runs containers"):
        python_for(made, environments)
    made.docker.base_image, made.docker.base_dockerfile = None, "FROM scratch"
    assert plan_environment(made).dockerfile == "FROM scratch"


def test_container_with_packages_runs_as_process_too(
    environments: VirtualEnvironments, offline: tuple[str, ...]
) -> None:
    made = Environment("x")
    made.docker.base_image = "host/image:1"
    made.python.conda_dependencies = CondaDependencies.create(pip_packages=[*offline, "tinyone"])
    lines: list[str] = []
    python = python_for(made, environments, lines.append)
    assert environments.root in python.parents
    assert "host/image:1 is not used" in lines[0]


def test_something_else() -> None:
    with pytest.raises(RunConfigurationException, match="not a str"):
        plan_environment("python")  # type: ignore[arg-type]

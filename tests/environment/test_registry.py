"""Environments by name: registered with versions that count up, read back the same, without secrets."""

from __future__ import annotations

import copy
import logging
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from mlsteps.environment import (
    CondaDependencies,
    DockerBuildContext,
    Environment,
    environment_identity,
    plan_environment,
)
from mlsteps.exceptions import UserErrorException, WorkspaceException
from mlsteps.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(folder=tmp_path / "workspace")


def asking(name: str, *packages: str) -> Environment:
    made = Environment(name)
    made.python.conda_dependencies = CondaDependencies.create(
        pip_packages=packages, python_version="3.10", conda_packages=["scikit-learn=1.1"]
    )
    return made


def test_versions_count_up_with_what_is_asked_for(workspace: Workspace) -> None:
    assert asking("training", "pandas").register(workspace).version == "1"
    assert asking("training", "pandas").register(workspace).version == "1"
    assert asking("training", "polars").register(workspace).version == "2"
    assert asking("training", "pandas").register(workspace).version == "3"
    assert asking("other", "pandas").register(workspace).version == "1"


def test_what_is_read_back_is_what_was_registered(workspace: Workspace) -> None:
    first = asking("training", "pandas==1.5.3")
    first.docker.base_image = "host/image:1"
    first.docker.shm_size = "8g"
    first.environment_variables = {"LEVEL": "info"}
    first.register(workspace)
    asking("training", "polars").register(workspace)
    found = Environment.get(workspace, "training", version="1")
    assert (found.name, found.version) == ("training", "1")
    assert plan_environment(found) == plan_environment(first)
    assert (found.docker.shm_size, found.environment_variables) == ("8g", {"LEVEL": "info"})
    newest = Environment.get(workspace, "training")
    assert newest.version == "2"
    assert newest.python.conda_dependencies.pip_packages == ["polars"]


def test_a_version_can_be_changed_into_another_environment(workspace: Workspace) -> None:
    asking("training", "pandas").register(workspace)
    changed = Environment.get(workspace, "training").clone("tuning")
    changed.python.conda_dependencies.add_pip_package("tqdm")
    assert changed.register(workspace).version == "1"
    assert set(Environment.get(workspace, "tuning").python.conda_dependencies.pip_packages) == {
        "pandas",
        "tqdm",
    }
    assert Environment.get(workspace, "training").python.conda_dependencies.pip_packages == ["pandas"]


def test_names_that_are_missing_are_told_with_those_there_are(workspace: Workspace) -> None:
    asking("training", "pandas").register(workspace)
    with pytest.raises(WorkspaceException, match=r"no environment 'trainng'; registered are: training"):
        Environment.get(workspace, "trainng")
    with pytest.raises(WorkspaceException, match=r"'training' has no version 7; it has 1"):
        Environment.get(workspace, "training", "7")
    with pytest.raises(UserErrorException, match="version must be a number, not 'newest'"):
        Environment.get(workspace, "training", "newest")
    with pytest.raises(UserErrorException, match="label 'Prod' is not known"):
        Environment.get(workspace, "training", label="Prod")
    assert Environment.get(workspace, "training", label="Latest").version == "1"


class _LaterKnown(Workspace):
    """A workspace that takes a look-up to be known: a double that is a folder, and says so."""

    def known_without_lookup(self) -> bool:
        return False


USES: dict[str, Callable[[Environment], object]] = {
    "looking": lambda made: made.version,
    "copying": lambda made: copy.deepcopy(made).version,
    "a pickle": lambda made: pickle.loads(pickle.dumps(made)).version,
    "planning": plan_environment,
}


@pytest.mark.parametrize("use", USES)
def test_nothing_is_read_before_it_is_used(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    later = _LaterKnown(folder=workspace.locator.partition(":")[2])
    made = Environment.get(later, "training")
    assert made.name == "training"
    with pytest.raises(WorkspaceException, match="no environment 'training'"):
        USES[use](made)
    asking("training", "pandas").register(workspace)
    USES[use](made)
    assert made.version == "1"
    assert isinstance(made, Environment)


def test_no_secret_is_stored(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    made = asking("training", "pandas", "mine @ https://user:hunter2@host/mine-1-py3-none-any.whl")
    made.python.conda_dependencies.set_pip_index_url("https://user:hunter2@host/simple")
    made.docker.base_image_registry.username = "somebody"
    made.docker.base_image_registry.password = "hunter2"
    made.environment_variables = {
        "API_TOKEN": "hunter2",
        "DATABASE": "postgres://user:hunter2@host/db",
        "LEVEL": "info",
        "MONKEY": "see",
    }
    with caplog.at_level(logging.WARNING):
        made.register(workspace)
    stored = "".join(path.read_text() for path in (Path(workspace.config.folder)).rglob("*.json"))
    assert "training" in stored and "https://host/simple" in stored
    assert "hunter2" not in stored + caplog.text
    assert "API_TOKEN, DATABASE look like secrets" in caplog.text
    assert Environment.get(workspace, "training").environment_variables == {"LEVEL": "info", "MONKEY": "see"}
    assert made.environment_variables["API_TOKEN"] == "hunter2", "the object itself keeps them"


def test_a_credential_in_a_dockerfile_is_refused(workspace: Workspace) -> None:
    made = Environment.from_dockerfile("x", "FROM a\nRUN pip install -i https://u:hunter2@host/simple b\n")
    with pytest.raises(UserErrorException, match="credential in a URL of base_dockerfile") as caught:
        made.register(workspace)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["AzureML-mine", "azureml", "Microsoft.mine"])
def test_reserved_names_cannot_be_registered(workspace: Workspace, name: str) -> None:
    with pytest.raises(UserErrorException, match="those of curated environments"):
        Environment(name).register(workspace)


def test_a_dockerfile_is_stored_with_its_text(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM host/image:1\nRUN true\n")
    made = Environment.from_dockerfile("x", file)
    before = plan_environment(made)
    made.register(workspace)
    file.unlink()
    found = plan_environment(Environment.get(workspace, "x"))
    assert found.dockerfile == "FROM host/image:1\nRUN true\n"
    assert environment_identity(found) == environment_identity(before)


def test_a_build_context_is_stored_with_its_files(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM a\n")
    context = DockerBuildContext.from_local_directory(workspace, folder)
    made = Environment.from_docker_build_context("x", context)
    before = environment_identity(plan_environment(made))
    assert made.register(workspace).version == "1"
    assert made.register(workspace).version == "1"
    assert environment_identity(plan_environment(Environment.get(workspace, "x"))) == before
    (folder / "Dockerfile").write_text("FROM b\n")
    assert made.register(workspace).version == "2"
    with pytest.raises(UserErrorException, match=r"there is no 'Other' in it"):
        DockerBuildContext.from_local_directory(workspace, folder, "Other")


def test_the_one_of_image_dockerfile_and_context_that_was_set_last_counts() -> None:
    made = Environment.from_docker_image("x", "host/image:1")
    made.docker.base_dockerfile = "FROM a\n"
    assert (made.docker.base_image, plan_environment(made).dockerfile) == (None, "FROM a\n")
    made.docker.base_image = "host/image:2"
    assert (made.docker.base_dockerfile, plan_environment(made).image) == (None, "host/image:2")


def test_the_address_of_a_registry_is_part_of_the_images_name() -> None:
    made = Environment.from_docker_image("x", "team/image:1")
    made.docker.base_image_registry.address = "registry.example.com"
    assert plan_environment(made).image == "registry.example.com/team/image:1"
    made.docker.base_image = "registry.example.com/team/image:1"
    assert plan_environment(made).image == "registry.example.com/team/image:1"


def test_a_workspace_lists_its_environments_and_curated_ones(workspace: Workspace) -> None:
    asking("training", "pandas").register(workspace)
    listed = Environment.list(workspace)
    assert listed["training"].version == "1"
    assert "AzureML-Minimal" in listed
    assert workspace.environments["training"].python.conda_dependencies.pip_packages == ["pandas"]
    assert "AzureML-sklearn-1.0-ubuntu20.04-py38-cpu" in workspace.environments
    assert len(workspace.environments) == len(listed)
    with pytest.raises(KeyError, match="no environment is called 'other'"):
        workspace.environments["other"]


def test_building_here_makes_what_a_step_would_find(
    workspace: Workspace, offline: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    made = Environment("tiny")
    made.python.conda_dependencies = CondaDependencies.create(pip_packages=["tinyone"])
    for option in reversed(offline):
        made.python.conda_dependencies.set_pip_option(option)
    details = made.build_local(workspace)
    assert details.status == "Succeeded"
    assert details.result is not None and Path(details.result).is_file()
    assert "is ready after" in details.get_log() and details.get_log() in capsys.readouterr().out
    again = made.build(workspace).wait_for_completion(show_output=False)
    assert (again.status, again.result) == ("Succeeded", details.result)
    assert "Building" not in again.get_log()


def test_a_build_that_fails_says_so(workspace: Workspace, offline: tuple[str, ...]) -> None:
    made = Environment("tiny")
    made.python.conda_dependencies = CondaDependencies.create(pip_packages=["nothing-of-the-kind"])
    for option in reversed(offline):
        made.python.conda_dependencies.set_pip_option(option)
    details = made.build(workspace).wait_for_completion(show_output=False)
    assert details.status == "Failed"
    assert "nothing-of-the-kind" in details.get_log()

from __future__ import annotations

from pathlib import Path

import pytest

from mlsteps.environment import ContainerRegistry, Environment
from mlsteps.exceptions import UserErrorException


@pytest.fixture
def conda_file(tmp_path: Path) -> Path:
    file = tmp_path / "conda.yml"
    file.write_text("name: x\ndependencies: [python=3.10, pandas, {pip: [six==1.16.0]}]")
    return file


def test_from_conda_specification(conda_file: Path) -> None:
    made = Environment.from_conda_specification("mine", str(conda_file))
    assert made.python.conda_dependencies_file == str(conda_file)
    assert "not read yet" in repr(made)
    assert made.python.conda_dependencies.conda_packages == ["pandas"]


def test_from_pip_requirements(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("six==1.16.0  # pinned\n\n--pre\n")
    made = Environment.from_pip_requirements(name="mine", file_path=file)
    file.write_text("six==1.15.0\n")
    assert made.python.conda_dependencies.pip_packages == ["six==1.15.0"]


def test_from_docker_image(conda_file: Path) -> None:
    registry = ContainerRegistry(address="host", password="hunter2")
    made = Environment.from_docker_image("mine", "host/image:1", registry)
    assert made.docker.base_image == "host/image:1"
    assert made.docker.base_image_registry is registry
    assert "hunter2" not in repr(made) + repr(registry) + str(made.to_plain())
    with_packages = Environment.from_docker_image("mine", "host/image:1", conda_specification=conda_file)
    assert with_packages.python.conda_dependencies.pip_packages == ["six==1.16.0"]
    with pytest.raises(UserErrorException, match="not both"):
        Environment.from_docker_image(
            "mine", "i", conda_specification=conda_file, pip_requirements=conda_file
        )


@pytest.mark.parametrize("name", ["", "  ", None])
def test_name(name: str) -> None:
    with pytest.raises(UserErrorException, match="name"):
        Environment(name)


def test_clone_is_independent() -> None:
    made = Environment("one", version="3")
    made.environment_variables = {"A": "1"}
    other = made.clone("two")
    other.environment_variables["A"] = "2"
    other.python.conda_dependencies.add_pip_package("six")
    assert (other.name, other.version) == ("two", None)
    assert made.environment_variables == {"A": "1"}
    assert made.python.conda_dependencies.pip_packages == []


def test_saved_and_loaded(tmp_path: Path, conda_file: Path) -> None:
    made = Environment.from_conda_specification("mine", conda_file)
    made.environment_variables = {"A": "1"}
    made.docker.base_image = "host/image:1"
    folder = tmp_path / "saved"
    made.save_to_directory(folder)
    assert sorted(file.name for file in folder.iterdir()) == [
        "azureml_environment.json",
        "conda_dependencies.yml",
    ]
    read = Environment.load_from_directory(folder)
    assert (read.name, read.environment_variables) == ("mine", {"A": "1"})
    assert read.docker == made.docker
    assert read.python.conda_dependencies == made.python.conda_dependencies
    with pytest.raises(UserErrorException, match="overwrite=True"):
        made.save_to_directory(folder)
    made.save_to_directory(folder, overwrite=True)


def test_folder_that_holds_none(tmp_path: Path) -> None:
    with pytest.raises(UserErrorException, match="no file"):
        Environment.load_from_directory(tmp_path)
    (tmp_path / "azureml_environment.json").write_text("[1]")
    with pytest.raises(UserErrorException, match="not an environment definition"):
        Environment.load_from_directory(tmp_path)

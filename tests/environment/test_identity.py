"""What of an environment counts for results: another identity if, and only if, a script may see it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mlsteps.environment import CondaDependencies, Environment, environment_identity, plan_environment
from mlsteps.environment.identity import installed_packages
from mlsteps.environment.plan import EnvironmentSource
from mlsteps.reuse import canonical
from processes import unprivileged

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


def install(folder: Path, *names: str) -> Path:
    """Leave what installed packages leave: folders of metadata."""
    for name in names:
        (folder / name).mkdir(parents=True)
    return folder


def packages(*folders: Path) -> dict[str, str]:
    return installed_packages([str(folder) for folder in folders])


def identity(source: EnvironmentSource) -> Mapping[str, Any]:
    found = environment_identity(plan_environment(source))
    assert canonical.plain(found, "identity") == found
    return found


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that the worker has packages in."""
    folder = install(tmp_path / "worker" / "site-packages", "pandas-2.1.0.dist-info")
    monkeypatch.setattr(sys, "path", [str(folder)])
    return folder


@pytest.fixture(scope="module")
def other_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a virtual environment that nothing is installed in."""
    folder = tmp_path_factory.mktemp("other") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin" / "python"


def named(interpreter: object) -> Environment:
    environment = Environment("named")
    environment.python.user_managed_dependencies = True
    environment.python.interpreter_path = str(interpreter)
    return environment


def installed_for(interpreter: Path) -> Path:
    (found,) = interpreter.parents[1].glob("lib/python*/site-packages")
    return found


class TestInstalledPackages:
    def test_they_are_read_off_the_names_of_their_folders(self, tmp_path: Path) -> None:
        install(
            tmp_path,
            "pandas-2.1.0.dist-info",
            "scikit_learn-1.4.0rc1.dist-info",
            "torch-2.2.0+cu118.dist-info",
            "old-1.0-py3.11.egg-info",
            "older-1.0.egg-info",
            "pandas",
            "develop.egg-info",
            "notes-1.0.txt",
        )
        (tmp_path / "single-3.1.egg-info").write_text("")
        assert packages(tmp_path) == {
            "pandas": "2.1.0",
            "scikit-learn": "1.4.0rc1",
            "torch": "2.2.0+cu118",
            "old": "1.0",
            "older": "1.0",
            "single": "3.1",
        }

    @pytest.mark.parametrize("name", ["Ruamel.Yaml", "ruamel_yaml", "ruamel-yaml", "ruamel__.yaml"])
    def test_a_name_has_one_spelling(self, tmp_path: Path, name: str) -> None:
        assert packages(install(tmp_path, f"{name}-0.18.dist-info")) == {"ruamel-yaml": "0.18"}

    def test_the_first_on_the_path_is_what_is_imported(self, tmp_path: Path) -> None:
        first = install(tmp_path / "first", "Pandas-2.0.dist-info")
        second = install(tmp_path / "second", "pandas-1.0.dist-info", "numpy-1.0.dist-info")
        assert packages(first, second) == {"pandas": "2.0", "numpy": "1.0"}
        assert packages(second, first) == {"pandas": "1.0", "numpy": "1.0"}

    @pytest.mark.parametrize("name", ["airflow_provider_mlsteps", "airflow-provider-mlsteps"])
    def test_mlsteps_itself_is_left_out(self, tmp_path: Path, name: str) -> None:
        assert packages(install(tmp_path, f"{name}-1.0.dist-info", "pandas-2.0.dist-info")) == {
            "pandas": "2.0"
        }

    def test_what_a_broken_uninstall_left_is_no_package(self, tmp_path: Path) -> None:
        assert packages(install(tmp_path, "~andas-2.0.dist-info", "-pandas-2.0.dist-info")) == {}

    def test_folders_that_cannot_be_read_have_none(self, tmp_path: Path) -> None:
        file = tmp_path / "python311.zip"
        file.write_bytes(b"")
        there = install(tmp_path / "there", "pandas-2.0.dist-info")
        assert packages(tmp_path / "missing", file, there) == {"pandas": "2.0"}

    def test_folders_that_may_not_be_read_have_none(self, tmp_path: Path) -> None:
        locked = install(tmp_path / "locked", "pandas-2.0.dist-info")
        locked.chmod(0)
        try:
            with unprivileged():
                assert packages(locked) == {}
        finally:
            locked.chmod(0o755)


class TestTheWorkersInterpreter:
    def test_it_is_its_minor_version_and_packages(self, site_packages: Path) -> None:
        assert identity(None) == {
            "kind": "worker's interpreter",
            "python": MINOR,
            "packages": {"pandas": "2.1.0"},
        }

    def test_another_version_of_a_package_is_another_identity(self, site_packages: Path) -> None:
        before = identity(None)
        os.rename(site_packages / "pandas-2.1.0.dist-info", site_packages / "pandas-2.2.0.dist-info")
        assert identity(None) != before
        os.rename(site_packages / "pandas-2.2.0.dist-info", site_packages / "pandas-2.1.0.dist-info")
        assert identity(None) == before

    def test_only_folders_of_libraries_count(
        self, site_packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = identity(None)
        here = install(tmp_path / "here", "mine-1.0.dist-info")
        monkeypatch.chdir(here)
        monkeypatch.setattr(sys, "path", ["", str(here), str(site_packages)])
        assert identity(None) == before
        debian = install(tmp_path / "dist-packages", "numpy-1.0.dist-info")
        monkeypatch.setattr(sys, "path", [str(site_packages), str(debian)])
        assert identity(None)["packages"] == {"pandas": "2.1.0", "numpy": "1.0"}

    def test_where_it_lies_does_not_count(
        self, site_packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = identity(None)
        moved = tmp_path / "elsewhere" / "site-packages"
        moved.parent.mkdir()
        site_packages.rename(moved)
        monkeypatch.setattr(sys, "path", [str(moved)])
        assert identity(None) == before

    def test_really_installed_packages_are_found(self) -> None:
        found = identity(None)["packages"]
        import hypothesis

        assert found["hypothesis"] == hypothesis.__version__
        assert {"pytest", "apache-airflow"} <= found.keys()
        assert "airflow-provider-mlsteps" not in found


class TestAVirtualEnvironment:
    def test_it_is_what_was_asked_for(self, site_packages: Path) -> None:
        asked = CondaDependencies.create(pip_packages=["pandas==2.1.0", "six"], python_version="3.10")
        assert identity(asked) == {
            "python": "3.10",
            "requirements": ["pandas==2.1.0", "six"],
            "options": [],
        }

    def test_each_part_of_it_counts_and_how_it_is_written_does_not(self) -> None:
        def asked(*names: str, python: str = "3.10", options: tuple[str, ...] = ()) -> Mapping[str, Any]:
            made = CondaDependencies.create(pip_packages=list(names), python_version=python)
            for option in options:
                made.set_pip_option(option)
            return identity(made)

        first = asked("pandas==2.1.0", "six")
        others = [
            asked("pandas==2.2.0", "six"),
            asked("pandas==2.1.0"),
            asked("pandas", "six"),
            asked("pandas==2.1.0", "six", python="3.11"),
            asked("pandas==2.1.0", "six", options=("--pre",)),
        ]
        assert first not in others
        assert asked("six", "Pandas == 2.1.0", python="3.10.4") == first

    def test_packages_of_the_worker_do_not_count(self, site_packages: Path) -> None:
        asked = CondaDependencies.create(pip_packages=["six"])
        before = identity(asked)
        install(site_packages, "numpy-1.0.dist-info")
        assert identity(asked) == before

    def test_without_a_version_it_has_the_workers_python(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = CondaDependencies.create(pip_packages=["six"])
        assert identity(asked)["python"] == MINOR
        monkeypatch.setattr(sys, "version_info", (3, 99, 0, "final", 0))
        assert identity(asked)["python"] == "3.99"


class TestANamedInterpreter:
    def test_it_is_its_minor_version_and_packages(self, other_python: Path) -> None:
        install(installed_for(other_python), "pandas-2.1.0.dist-info")
        found = identity(named(other_python))
        assert found["kind"] == "explicit interpreter"
        assert found["python"] == MINOR
        assert found["packages"]["pandas"] == "2.1.0"
        assert "hypothesis" not in found["packages"]
        assert str(other_python) not in str(found)

    def test_another_version_of_a_package_is_another_identity(self, other_python: Path) -> None:
        folder = installed_for(other_python)
        install(folder, "numpy-1.0.dist-info")
        before = identity(named(other_python))
        os.rename(folder / "numpy-1.0.dist-info", folder / "numpy-2.0.dist-info")
        assert identity(named(other_python)) != before
        os.rename(folder / "numpy-2.0.dist-info", folder / "numpy-1.0.dist-info")
        assert identity(named(other_python)) == before

    def test_the_folder_of_the_run_does_not_count(
        self, other_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        install(tmp_path, "mine-1.0.dist-info")
        monkeypatch.chdir(tmp_path)
        assert "mine" not in identity(named(other_python))["packages"]

    @pytest.mark.parametrize(
        "script", ["echo hello", "exit 1", "echo 1", "echo '[[3, 11], 5]'", "printf '\\377'"]
    )
    def test_what_does_not_answer_is_its_name(self, tmp_path: Path, script: str) -> None:
        pretender = tmp_path / "python"
        pretender.write_text(f"#!/bin/sh\n{script}\n")
        pretender.chmod(0o755)
        assert identity(named(pretender)) == {
            "kind": "explicit interpreter",
            "interpreter": str(pretender),
        }

    def test_nor_is_one_that_does_not_exist_more_than_its_name(self) -> None:
        assert identity(named("/no/such/python"))["interpreter"] == "/no/such/python"


class TestAContainer:
    def test_it_is_its_image(self, site_packages: Path) -> None:
        first = identity(Environment.from_docker_image("x", "host/image:1"))
        assert first == {"kind": "container image", "image": "host/image:1", "dockerfile": None}
        assert identity(Environment.from_docker_image("y", "host/image:1")) == first
        assert identity(Environment.from_docker_image("x", "host/image:2")) != first

    def test_packages_on_top_of_it_count(self, tmp_path: Path) -> None:
        def asked(requirement: str) -> Mapping[str, Any]:
            file = tmp_path / "requirements.txt"
            file.write_text(requirement)
            return identity(Environment.from_docker_image("x", "host/image:1", pip_requirements=file))

        assert asked("six==1.16") == {
            "kind": "container image",
            "image": "host/image:1",
            "dockerfile": None,
            "python": None,
            "requirements": ["six==1.16"],
            "options": [],
        }
        assert asked("six==1.17") != asked("six==1.16")

    def test_a_dockerfile_counts(self) -> None:
        def asked(text: str) -> Mapping[str, Any]:
            environment = Environment("x")
            environment.docker.base_image = None
            environment.docker.base_dockerfile = text
            return identity(environment)

        assert asked("FROM a")["kind"] == "container image"
        assert asked("FROM a") != asked("FROM b")

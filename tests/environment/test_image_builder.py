"""Images made by a real Docker engine from packages that the worker fetched."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import DockerClient

from environment.conftest import make_wheel
from mlsteps.data.stores import FolderStore
from mlsteps.environment import (
    CondaDependencies,
    DockerBuildContext,
    Environment,
    EnvironmentLocks,
    ImageBuilder,
    RegistryLogin,
    environment_identity,
    lock_for,
    plan_environment,
)
from mlsteps.environment.building import container_settings
from mlsteps.environment.image_builder import BuiltImage
from mlsteps.exceptions import EnvironmentBuildError, RunConfigurationException
from mlsteps.workspace import Workspace
from servers.docker_engine import DockerEngine

pytestmark = pytest.mark.xdist_group("docker")


HAS_A_MODULE = """\
RUN to=$(python3 -c 'import site; print(site.getsitepackages()[0])') && mkdir -p $to \\
    && echo 'number = 7' > $to/of_the_image.py
"""
FAILS = """\
RUN echo looking; echo 'E: Unable to locate package libnothing' >&2; exit 100
"""


class Yard:
    """A builder with a package source of its own, and what its images do when they are run."""

    def __init__(self, engine: DockerEngine, client: DockerClient, root: Path) -> None:
        self.engine, self.client, self.root = engine, client, root
        self.lines: list[str] = []
        self.wheels = root / "wheels"
        self.wheels.mkdir()
        make_wheel(self.wheels, "tinyone", "1.0")
        self.store = FolderStore(root / "store")
        self.locks = EnvironmentLocks(self.store, root / "environments")
        self.made: list[str] = []

    def builder(self, **settings: object) -> ImageBuilder:
        options: dict[str, object] = {"base_image": self.engine.image, **settings}
        return ImageBuilder(self.engine.url, self.root / "environments", **options)  # type: ignore[arg-type]

    def asking(self, *packages: str, python: str | None = None) -> Environment:
        made = Environment("x")
        made.python.conda_dependencies = CondaDependencies.create(
            pip_packages=packages, python_version=python
        )
        for option in (f"--find-links {self.wheels}", "--no-index"):
            made.python.conda_dependencies.set_pip_option(option)
        return made

    def build(self, environment: Environment, **settings: object) -> BuiltImage:
        built = self.builder(**settings).get_or_build(
            plan_environment(environment), self.locks, self.lines.append, self.store
        )
        self.made.append(built.name)
        return built

    def run(self, built: BuiltImage, code: str) -> str:
        output = self.client.containers.run(
            built.name, [built.python, "-c", code], network_mode="none", remove=True
        )
        return str(output.decode().strip())

    def sh(self, built: BuiltImage, command: str) -> str:
        output = self.client.containers.run(
            built.name, ["sh", "-c", command], network_mode="none", remove=True
        )
        return str(output.decode().strip())


@pytest.fixture
def yard(docker_engine: DockerEngine, tmp_path: Path) -> Iterator[Yard]:
    with docker_engine.client() as client:
        made = Yard(docker_engine, client, tmp_path)
        yield made
        for name in set(made.made) - {docker_engine.image}:
            client.images.remove(name, force=True)


def test_packages_are_a_layer_on_the_default_image(yard: Yard) -> None:
    built = yard.build(yard.asking("tinyone"))
    assert built.name.startswith("mlsteps-env:")
    code = "import sys, tinyone; print(tinyone.__version__, sys.prefix, tinyone.__file__)"
    assert yard.run(built, code).split() == [
        "1.0",
        "/opt/mlsteps/env",
        f"/opt/mlsteps/env/lib/python{built.base.minor}/site-packages/tinyone.py",
    ]
    assert yard.sh(built, "command -v python") == "/opt/mlsteps/env/bin/python"
    assert yard.client.images.get(built.name).history()[0]["Size"] < 100_000
    assert any(line.startswith("Building image mlsteps-env:") for line in yard.lines)


def test_an_image_is_made_once(yard: Yard) -> None:
    first = yard.build(yard.asking("tinyone"))
    told = len(yard.lines)
    assert yard.build(yard.asking("TinyOne == 1.0")).name == first.name
    assert not any("Building" in line for line in yard.lines[told:])
    make_wheel(yard.wheels, "tinytwo", "1.0")
    assert yard.build(yard.asking("tinyone", "tinytwo")).name != first.name


def test_whoever_comes_meanwhile_waits_for_the_one_that_builds(yard: Yard) -> None:
    given: list[BuiltImage] = []
    threads = [
        threading.Thread(target=lambda: given.append(yard.build(yard.asking("tinyone")))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({built.id for built in given}) == 1 and len(given) == 4
    assert sum(line.startswith("Building image") for line in yard.lines) == 1


def test_scripts_of_packages_start_the_images_python(yard: Yard) -> None:
    make_wheel(yard.wheels, "tinytool", "1.0", script="tiny-tool")
    built = yard.build(yard.asking("tinytool"))
    assert yard.sh(built, "tiny-tool") == "tinytool runs in /opt/mlsteps/env"


def test_a_named_image_is_used_as_it_is_and_never_built(yard: Yard) -> None:
    environment = Environment.from_docker_image("x", yard.engine.image)
    built = yard.build(environment, base_image=None)
    assert (built.name, built.lock) == (yard.engine.image, None)
    assert built.python.startswith("/usr/bin/python3")
    assert not any("Building" in line for line in yard.lines)
    assert yard.run(built, "print(6 * 7)") == "42"


def test_packages_on_a_named_image_leave_its_own_visible(yard: Yard) -> None:
    dockerfile = f"FROM {yard.engine.image}\n{HAS_A_MODULE}"
    environment = yard.asking("tinyone")
    environment.docker.base_dockerfile = dockerfile
    built = yard.build(environment, build_network="host")
    yard.made.append(built.base.name)
    assert yard.run(built, "import tinyone, of_the_image; print(of_the_image.number)") == "7"


def test_what_is_installed_only_in_the_image_is_hidden_where_none_is_named(yard: Yard) -> None:
    dockerfile = f"FROM {yard.engine.image}\n{HAS_A_MODULE}"
    other = Environment.from_dockerfile("base", dockerfile)
    base = yard.build(other, build_network="host")
    built = yard.build(yard.asking("tinyone"), base_image=base.name)
    code = (
        "import importlib.util as u; print(u.find_spec('of_the_image'), u.find_spec('tinyone') is not None)"
    )
    assert yard.run(built, code) == "None True"


def test_a_build_context_gives_an_image_also_after_it_was_registered(yard: Yard) -> None:
    folder = yard.root / "context"
    folder.mkdir()
    (folder / "Dockerfile.step").write_text(f"FROM {yard.engine.image}\nCOPY data.txt secret* /data/\n")
    (folder / "data.txt").write_text("from the context\n")
    (folder / "secret.txt").write_text("hidden")
    (folder / ".dockerignore").write_text("secret.txt\n")
    context = DockerBuildContext.from_local_directory(None, folder, "Dockerfile.step")
    environment = Environment.from_docker_build_context("x", context)
    before = environment_identity(plan_environment(environment))
    built = yard.build(environment)
    assert yard.sh(built, "cat /data/*") == "from the context"

    from mlsteps.environment.build_context import store_context

    environment.docker.build_context = store_context(context, yard.store, yard.root / "scratch")
    assert environment_identity(plan_environment(environment)) == before
    yard.client.images.remove(built.name, force=True)
    for file in folder.iterdir():
        file.unlink()
    assert yard.sh(yard.build(environment), "cat /data/*") == "from the context"


def test_a_failed_build_tells_the_end_of_its_log(yard: Yard) -> None:
    text = f"FROM {yard.engine.image}\n{FAILS}"
    with pytest.raises(EnvironmentBuildError) as caught:
        yard.build(Environment.from_dockerfile("x", text), build_network="host")
    assert "There is no package 'libnothing'" in str(caught.value)
    assert "looking" in str(caught.value) and "100" in str(caught.value)


def test_no_credential_of_an_index_is_in_the_image(yard: Yard) -> None:
    environment = yard.asking("tinyone")
    environment.python.conda_dependencies.set_pip_option(
        "--extra-index-url https://someuser:hunter2@127.0.0.1:9/simple"
    )
    built = yard.build(environment)
    inside = yard.sh(built, "grep -rE 'hunter2|someuser' /opt/mlsteps /etc /root /tmp; env; echo searched")
    assert inside.endswith("searched")
    image = yard.client.images.get(built.name)
    everything = f"{inside}{json.dumps(image.attrs)}{image.history()}{yard.lines}"
    assert "hunter2" not in everything and "someuser" not in everything


def test_a_package_without_a_wheel_for_the_image_is_named(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    import platform

    built_elsewhere = yard.wheels / "elsewhere-1.0-cp311-cp311-manylinux_2_17_ppc64le.whl"
    make_wheel(yard.wheels, "elsewhere", "1.0").rename(built_elsewhere)
    monkeypatch.setattr(platform, "machine", lambda: "another")
    with pytest.raises(EnvironmentBuildError, match="Package 'elsewhere' has no wheel for Python 3.11"):
        yard.build(yard.asking("elsewhere"))


def test_another_python_than_the_images_is_told(yard: Yard) -> None:
    with pytest.raises(RunConfigurationException, match=r"has Python 3\.11.*asks for 3\.8"):
        yard.build(yard.asking("tinyone", python="3.8"))


def test_without_any_image_it_says_where_one_can_be_set(yard: Yard) -> None:
    with pytest.raises(RunConfigurationException, match="Set base_image on the compute target"):
        yard.build(yard.asking("tinyone"), base_image=None)


def test_the_default_image_can_depend_on_the_python(yard: Yard) -> None:
    repository, _, _ = yard.engine.image.partition(":")
    yard.client.images.get(yard.engine.image).tag(repository, "3.11-slim")
    yard.made.append(f"{repository}:3.11-slim")
    built = yard.build(yard.asking("tinyone", python="3.11"), base_image=repository + ":{python}-slim")
    assert built.base.name == f"{repository}:3.11-slim"


def test_an_image_without_python_is_told(yard: Yard) -> None:
    text = f"FROM {yard.engine.image}\nRUN rm -f /usr/bin/python3*\n"
    with pytest.raises(EnvironmentBuildError, match="has no Python"):
        yard.build(Environment.from_dockerfile("x", text), build_network="host")


def test_what_is_known_of_an_image_is_found_out_once(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    from docker.models.containers import ContainerCollection

    plan = plan_environment(Environment.from_docker_image("x", yard.engine.image))
    first = yard.builder().base(plan)
    monkeypatch.delattr(ContainerCollection, "create")
    assert yard.builder().base(plan) == first
    assert first.libc.startswith("glibc 2.") and first.version.startswith("3.11.")


def test_the_key_is_that_of_a_virtual_environment(yard: Yard) -> None:
    plan = plan_environment(yard.asking("tinyone", python="3.11"))
    built = yard.builder().get_or_build(plan, yard.locks, yard.lines.append)
    yard.made.append(built.name)
    assert environment_identity(plan, built.lock) == environment_identity(plan, lock_for(plan, yard.locks))


def test_a_registry_that_does_not_answer_is_told_without_the_login(yard: Yard) -> None:
    login = RegistryLogin("someuser", "hunter2")
    with pytest.raises(EnvironmentBuildError, match=r"(Pushing|Fetching|Image) .*127\.0\.0\.1:9") as caught:
        yard.build(yard.asking("tinyone"), push_to="127.0.0.1:9/team/env", login=login)
    assert "hunter2" not in f"{caught.value}{login!r}{yard.lines}"


def test_an_image_that_nobody_has_is_told(yard: Yard) -> None:
    with pytest.raises(EnvironmentBuildError, match=r"127\.0\.0\.1:9/none.* cannot be fetched"):
        yard.build(Environment.from_docker_image("x", "127.0.0.1:9/none:1"))


def test_no_engine_is_told(tmp_path: Path) -> None:
    plan = plan_environment(Environment.from_docker_image("x", "y"))
    with pytest.raises(
        EnvironmentBuildError, match="Images cannot be made: no Docker engine answers at unix:///nowhere"
    ):
        ImageBuilder("unix:///nowhere.sock", tmp_path).base(plan)


def test_wheels_are_those_of_the_images_python_and_platform(yard: Yard) -> None:
    environment = Environment("x")
    environment.python.conda_dependencies = CondaDependencies.create(conda_packages=["numpy"])
    built = yard.build(environment)
    assert built.lock is not None
    code = "import numpy; print(numpy.__version__, numpy.ones(3).sum())"
    assert yard.run(built, code) == f"{built.lock.versions['numpy']} 3.0"


def test_building_starts_from_the_image_that_steps_on_the_default_target_start_from(
    tmp_path: Path, docker_engine: DockerEngine
) -> None:
    (tmp_path / "workspace.yaml").write_text(
        f"""
default_compute_target: cpu
compute_targets:
  other: {{type: docker, base_image: "nobody/has:it"}}
  cpu: {{type: amlcompute, vm_size: STANDARD_D2_V2}}
aml_compute: {{type: docker, url: "{docker_engine.url}", base_image: "{docker_engine.image}", pull: never}}
"""
    )
    details = Environment("plain").build_local(Workspace(folder=tmp_path), useDocker=True)
    assert (details.status, details.result) == ("Succeeded", docker_engine.image)


def test_a_workspace_without_containers_has_no_image_to_start_from(tmp_path: Path) -> None:
    assert container_settings(Workspace(folder=tmp_path).config) == {}

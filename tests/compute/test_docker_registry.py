"""DockerCompute with a real registry that wants a password, which an Airflow connection has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from compute.jobs import Bench
from mlsteps.compute import DockerCompute
from mlsteps.environment import Environment, RunConfiguration
from mlsteps.exceptions import ComputeTargetException
from servers.docker_engine import DockerEngine
from servers.image_registry import ImageRegistry

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]


@pytest.fixture
def connection(image_registry: ImageRegistry, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a connection to the registry."""
    _connect(monkeypatch, "registry", image_registry, image_registry.password)
    return "registry"


def _connect(monkeypatch: pytest.MonkeyPatch, name: str, registry: ImageRegistry, password: str) -> None:
    settings = {"conn_type": "docker", "host": registry.host, "login": registry.user, "password": password}
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(settings))


@pytest.fixture
def base_image(docker_engine: DockerEngine, image_registry: ImageRegistry) -> Iterator[str]:
    """An image that only the registry has."""
    repository = f"{image_registry.host}/base/python"
    with docker_engine.client() as client:
        client.images.get(docker_engine.image).tag(repository, "1")
        client.images.push(repository, tag="1", auth_config=image_registry.auth)
        client.images.remove(f"{repository}:1")
        yield f"{repository}:1"
        for image in client.images.list():
            for tag in image.tags:
                if tag.startswith(image_registry.host):
                    client.images.remove(tag)


def test_images_are_fetched_with_the_connections_password(
    tmp_path: Path, docker_engine: DockerEngine, base_image: str, connection: str
) -> None:
    def target(docker_conn_id: str | None) -> DockerCompute:
        return DockerCompute(
            url=docker_engine.url,
            base_image=base_image,
            network_mode="none",
            docker_conn_id=docker_conn_id,
        )

    with pytest.raises(Exception, match=r"cannot be fetched.*(basic auth|unauthorized)"):
        Bench(tmp_path / "without", target(None)).run("pass")
    bench = Bench(tmp_path / "with", target(connection))
    outcome = bench.run("import os; print(sorted(os.environ))")
    assert outcome.error is None
    assert outcome.environment["image"] == base_image
    assert "the-registrys-own-password" not in str(
        (outcome, bench.lines, bench.kept, bench.target.describe())
    )


def test_the_usual_socket_is_signed_in_at_as_well(
    tmp_path: Path, docker_engine: DockerEngine, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from docker.utils import utils

    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(utils, "DEFAULT_UNIX_SOCKET", docker_engine.url.replace("unix:", "http+unix:"))
    target = DockerCompute("d", None, docker_engine.image, network_mode="none", docker_conn_id=connection)
    assert Bench(tmp_path, target).run("pass").error is None


def test_a_made_image_is_pushed_and_found_there_by_another_engine(
    tmp_path: Path, docker_engine: DockerEngine, image_registry: ImageRegistry, connection: str
) -> None:
    environment = Environment("e")
    environment.python.conda_dependencies.add_pip_package("colorama==0.4.6")
    configuration = RunConfiguration()
    configuration.environment = environment
    target = DockerCompute(
        url=docker_engine.url,
        base_image=docker_engine.image,
        network_mode="none",
        docker_conn_id=connection,
        push_to=f"{image_registry.host}/made",
    )
    script = "import colorama; print(colorama.__version__)"
    one = Bench(tmp_path / "one", target)
    pushed = one.run(script, run_configuration=configuration).environment
    assert pushed["image"].startswith(f"{image_registry.host}/made@sha256:")
    assert any("Pushing image" in line for _, line in one.lines)
    with docker_engine.client() as client:  # an engine that has never seen it
        client.images.remove(pushed["image_digest"], force=True)
    other = Bench(tmp_path / "other", target)
    outcome = other.run(script, run_configuration=configuration)
    assert ("stdout", "0.4.6") in other.lines
    assert outcome.environment["image"] == pushed["image"]
    assert not any("Building image" in line for _, line in other.lines)


def test_a_wrong_password_is_told_of_before_anything_is_made(
    tmp_path: Path,
    docker_engine: DockerEngine,
    image_registry: ImageRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _connect(monkeypatch, "wrong", image_registry, "not-the-password")
    for name, told in (("wrong", "401 Unauthorized"), ("missing", "missing")):
        target = DockerCompute("d", docker_engine.url, docker_engine.image, docker_conn_id=name)
        with pytest.raises(ComputeTargetException, match=told) as error:
            Bench(tmp_path / name, target).run("pass")
        assert f"target 'd': signing in by connection {name!r} failed" in str(error.value)
        assert "not-the-password" not in str(error.value)

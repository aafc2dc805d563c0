"""DockerCompute with a real engine that is reached by TCP with certificates, and sees no folder of ours.

The environment names it, or an Airflow connection.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compute.jobs import Bench, ok
from compute.test_docker_staged import StagedContainers, copy
from mlsteps.cli.azurite import Azurite
from mlsteps.exceptions import ComputeTargetException
from servers.azurite import azurite
from servers.docker_engine import DockerEngine
from servers.docker_image import IMAGE
from servers.image_registry import ImageRegistry
from servers.remote_engine import RemoteEngine, remote_engine

__all__ = ["azurite"]

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteEngine]:
    with remote_engine(tmp_path_factory.mktemp("worker")) as running:
        yield running


@pytest.fixture(autouse=True)
def other_authorities(remote: RemoteEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a company's own authorities are set up for all programs: none has signed the engine's."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(remote.certificates / "other.pem"))


def staged(remote: RemoteEngine, azurite: Azurite, **settings: Any) -> StagedContainers:
    given = {"url": None, "shared_disk": None, **settings}
    return StagedContainers(remote.hidden, azurite, DockerEngine(remote.url, IMAGE, True), given)


def connect(monkeypatch: pytest.MonkeyPatch, name: str, **settings: Any) -> str:
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({"conn_type": "docker", **settings}))
    return name


def test_an_engine_on_another_machine_is_found_out_and_gets_jobs_by_the_storage_account(
    remote: RemoteEngine, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in remote.environment.items():
        monkeypatch.setenv(name, value)
    made = staged(remote, azurite)
    ok(copy(made.bench, made.store))
    assert made.store.read("made/target.txt") == b"ABC"
    told = "The Docker engine does not see this worker's folders: data goes by a storage account."
    assert ("mlsteps", told) in made.bench.lines
    with pytest.raises(ComputeTargetException, match="Azure Blob datastore.*set shared_disk: true"):
        made.run("pass", outputs=())
    made = staged(remote, azurite, shared_disk=True)
    with pytest.raises(ComputeTargetException, match="does not see this worker's folders.*shared_disk"):
        made.run("pass")


def test_an_engine_and_a_registry_are_named_by_connections(
    remote: RemoteEngine, azurite: Azurite, image_registry: ImageRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(
        monkeypatch,
        "engine",
        host="127.0.0.1",
        schema="tcp",
        port=remote.port,
        extra=remote.certificates_extra,
    )
    registry = {"host": image_registry.host, "login": image_registry.user}
    connect(monkeypatch, "registry", **registry, password=image_registry.password)
    connect(monkeypatch, "wrong", **registry, password="not-the-password")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    made = staged(remote, azurite, engine_conn_id="engine", docker_conn_id="registry", shared_disk=False)
    ok(copy(made.bench, made.store))
    assert made.store.read("made/target.txt") == b"ABC"
    seen = str((made.bench.lines, made.bench.kept, made.target, made.target.describe()))
    assert image_registry.password not in seen and str(remote.certificates) not in seen
    assert made.target.describe()["engine_conn_id"] == "engine"
    made = staged(remote, azurite, engine_conn_id="engine", docker_conn_id="wrong", shared_disk=False)
    with pytest.raises(ComputeTargetException, match="by connection 'wrong' failed: .*401"):
        made.run("pass")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, None),
        ({"verify": False, "ca_cert": None}, None),
        ({"assert_hostname": "127.0.0.1"}, None),
        ({"assert_hostname": False, "ssl_version": "TLSv1_3"}, None),
        ({"assert_hostname": "gpu-1.internal"}, "gpu-1.internal"),
        ({"client_cert": None, "client_key": None}, "certificate required|bad certificate|EOF|reset"),
        ({"ca_cert": "other.pem"}, "certificate verify failed"),
    ],
)
def test_certificates_are_asked_for_as_the_connection_says(
    remote: RemoteEngine, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], told: str | None
) -> None:
    from mlsteps.compute.docker.engine import connected
    from mlsteps.compute.docker.engine_connection import address_of

    if change.get("ca_cert"):
        change = {**change, "ca_cert": str(remote.certificates / change["ca_cert"])}
    url = f"tcp://127.0.0.1:{remote.port}"
    connect(monkeypatch, "engine", extra={"url": url, **remote.certificates_extra, **change})
    address = address_of("gpu", None, "engine")
    if told is None:
        with connected("gpu", address) as engine:
            assert engine.images.get(IMAGE)
        return
    with (
        pytest.raises(ComputeTargetException, match=f"'gpu': no Docker engine.*{told}") as error,
        connected("gpu", address),
    ):
        pass
    assert "connection 'engine'" in str(error.value) and "correct the connection" in str(error.value)


def test_a_wrong_connection_fails_the_job_and_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlsteps.compute import DockerCompute

    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN PRIVATE KEY-----")
    here = {"host": "h", "port": 2376}
    wrong: dict[str, tuple[dict[str, Any], str]] = {
        "ssh": ({"conn_type": "ssh", "host": "h"}, "its type is 'ssh'.*'docker' or 'generic'"),
        "empty": ({}, "does not say where the engine is"),
        "portless": ({"host": "h"}, "no port"),
        "lettered": ({"host": "tcp://h:x"}, "port in its address"),
        "web": ({**here, "schema": "ftp"}, "reached by tcp, ssh or unix, not 'ftp'"),
        "secret": ({**here, "password": "hush-hush"}, "has a password.*certificates"),
        "typing": ({**here, "extra": {"ca_certs": "/x"}}, "its extra has ca_certs; of an engine"),
        "inline": ({**here, "extra": {"ca_cert": key.read_text()}}, "ca_cert.*is the path of a PEM file"),
        "half": ({**here, "extra": {"client_key": str(key)}}, "client_cert and client_key go together"),
        "unsure": ({**here, "extra": {"verify": "maybe"}}, "verify in its extra is true or false"),
        "old": ({**here, "extra": {"ssl_version": "SSLv3"}}, "ssl_version in its extra is one of TLSv1_2"),
        "local": ({"host": "/d.sock", "extra": {"ca_cert": str(key)}}, "certificates are for engines by tcp"),
    }
    for name, (settings, _) in wrong.items():
        connect(monkeypatch, name, **settings)
    for name, told in [
        *((name, told) for name, (_, told) in wrong.items()),
        ("nowhere", "cannot be looked up"),
    ]:
        target = DockerCompute("gpu", engine_conn_id=name)  # the DAG file is fine with it
        with pytest.raises(ComputeTargetException, match=f"'gpu', connection '{name}': .*{told}") as error:
            Bench(tmp_path / name, target).run("pass")
        assert "hush-hush" not in str(error.value) and "BEGIN" not in str(error.value)
    with pytest.raises(ComputeTargetException, match="'gpu': url and engine_conn_id both say"):
        DockerCompute("gpu", url="unix:///d.sock", engine_conn_id="x")


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"host": "gpu-1", "port": 2376}, "tcp://gpu-1:2376"),
        ({"conn_type": "generic", "host": "gpu-1", "login": "me", "schema": "ssh"}, "ssh://me@gpu-1"),
        ({"host": "ssh://you@gpu-1/", "login": "me", "port": 2222}, "ssh://you@gpu-1:2222"),
        ({"host": "/var/run/other.sock"}, "unix:///var/run/other.sock"),
        ({"host": "x", "extra": {"url": "tcp://[::1]:2375", "reauth": False}}, "tcp://[::1]:2375"),
    ],
)
def test_a_connection_is_an_address(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], url: str
) -> None:
    from mlsteps.compute.docker.engine_connection import address_of

    assert address_of("gpu", None, connect(monkeypatch, "engine", **settings)).url == url

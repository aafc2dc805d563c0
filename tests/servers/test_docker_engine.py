"""The engine that the tests of containers rest on does what they rely on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient

from servers import docker_engine as servers_of_docker
from servers.docker_engine import DockerEngine


@pytest.fixture
def client(docker_engine: DockerEngine) -> Iterator[DockerClient]:
    with docker_engine.client() as client:
        yield client


def run(client: DockerClient, image: str, code: str, **options: Any) -> tuple[int, str, bool]:
    """Exit code, what was printed, and whether memory was the end of it."""
    container = client.containers.create(image, ["python3", "-c", code], network_mode="none", **options)
    try:
        container.start()
        code = container.wait(timeout=60)["StatusCode"]
        container.reload()
        return code, container.logs().decode(), container.attrs["State"]["OOMKilled"]
    finally:
        container.remove(force=True)


def test_a_container_runs_python_and_ends_with_its_exit_code(
    client: DockerClient, docker_engine: DockerEngine
) -> None:
    assert run(client, docker_engine.image, "import sys; print(6 * 7); sys.exit(7)") == (7, "42\n", False)


def test_what_takes_more_memory_than_its_limit_is_killed(
    client: DockerClient, docker_engine: DockerEngine
) -> None:
    limits = {"mem_limit": "64m", "memswap_limit": "64m"}
    code, _, killed = run(client, docker_engine.image, "bytearray(500 * 2**20)", **limits)

    assert (code, killed) == (137, True)


def test_limits_of_processes_processors_and_shared_memory_hold(
    client: DockerClient, docker_engine: DockerEngine
) -> None:
    script = """
import os, time
started, used = time.time(), time.process_time()
while time.time() - started < 1:
    pass
print(time.process_time() - used < 0.7)
shared = os.statvfs("/dev/shm")
print(shared.f_blocks * shared.f_frsize == 32 * 2**20)
try:
    for _ in range(30):
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)
except BlockingIOError:
    print("refused")
"""
    limits = {"pids_limit": 10, "nano_cpus": 300_000_000, "shm_size": "32m"}

    assert run(client, docker_engine.image, script, **limits)[:2] == (0, "True\nTrue\nrefused\n")


def test_an_engine_leaves_nothing_behind_even_after_the_host_network(docker_engine: DockerEngine) -> None:
    if not docker_engine.own:
        pytest.skip("the engine is not the tests' own to stop")
    with servers_of_docker.running_engine() as (url, own):
        folder = Path(url.removeprefix("unix://")).parent
        servers_of_docker.load_image(url)
        with DockerEngine(url, servers_of_docker.IMAGE, own).client() as client:
            client.containers.run(servers_of_docker.IMAGE, ["true"], network_mode="host", remove=True)

    assert not folder.exists()
    assert str(folder) not in Path("/proc/self/mounts").read_text()


def test_folders_of_the_machine_are_mounted_for_another_user_and_read_only(
    client: DockerClient, docker_engine: DockerEngine, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o777)
    script = """
open("/out/b.txt", "w").write(open("/in/a.txt").read() * 2)
try:
    open("/in/c.txt", "w")
except OSError as error:
    print(error.strerror)
"""
    mounts = [f"{tmp_path}/in:/in:ro", f"{tmp_path}/out:/out"]
    code, said, _ = run(client, docker_engine.image, script, volumes=mounts, user="1234:1234")

    assert (code, said) == (0, "Read-only file system\n")
    assert (tmp_path / "out" / "b.txt").read_text() == "aa"
    assert (tmp_path / "out" / "b.txt").stat().st_uid == 1234

"""DockerCompute with a real engine that is reached by a real SSH server."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from compute.jobs import Bench, wait_for
from mlsteps.compute import DockerCompute, JobOutcome
from servers.debian import ServerMissing, skip_or_fail
from servers.docker_engine import DockerEngine
from servers.ssh_server import ssh_server

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(300)]

COUNTED = """#!/bin/sh
echo "$@" >> "{folder}/started"
exec "{docker}" "$@"
"""


def test_an_engine_by_ssh_is_asked_by_few_programs_so_that_a_stop_is_in_time(
    tmp_path: Path, docker_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("Needs Docker's command, which is started there.")
    (tmp_path / "docker").write_text(COUNTED.format(folder=tmp_path, docker=docker))
    (tmp_path / "docker").chmod(0o755)
    there = {"DOCKER_HOST": docker_engine.url, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    try:
        with ssh_server(there) as server:
            home = tmp_path / "home"
            (home / ".ssh").mkdir(parents=True)
            shutil.copyfile(server.folder / "user_key", home / ".ssh/id_ed25519")
            (home / ".ssh/id_ed25519").chmod(0o600)
            (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
            monkeypatch.setenv("HOME", str(home))
            engine = {"schema": "ssh", "host": "127.0.0.1", "port": server.port, "login": getpass.getuser()}
            monkeypatch.setenv("AIRFLOW_CONN_ENGINE", json.dumps({"conn_type": "docker", **engine}))
            settings = {"base_image": docker_engine.image, "network_mode": "none", "shared_disk": True}
            target = DockerCompute("d", engine_conn_id="engine", **settings)  # type: ignore[arg-type]
            bench = Bench(tmp_path, target)
            outcomes: list[JobOutcome] = []
            script = "print('up', flush=True)\nimport time; time.sleep(60)"
            thread = threading.Thread(target=lambda: outcomes.append(bench.run(script)))
            thread.start()
            wait_for(lambda: ("stdout", "up") in bench.lines)
            began = time.monotonic()
            bench.watcher.stop()
            thread.join(20)
            assert time.monotonic() - began < 4
            assert outcomes[0].error == "The script was stopped because its task was."
    except ServerMissing as missing:
        skip_or_fail(missing)
    # For the first question, all others, and the script's streams.
    assert 0 < len((tmp_path / "started").read_text().splitlines()) <= 4

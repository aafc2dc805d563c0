"""``mlsteps demo`` on this machine and, with its page, on a real Airflow."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from servers.docker_engine import DockerEngine
from servers.kubernetes_double import kubernetes_double

from .conftest import Finished

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_the_demo_trains_compares_draws_and_names_the_next_command(
    mlsteps: Callable[..., Finished], tmp_path: Path
) -> None:
    done = mlsteps("demo", "--home", tmp_path)
    assert done.status == 0, done.err
    assert "The better model is" in done.out
    picture = tmp_path / "comparison.png"
    assert str(picture) in done.out and picture.read_bytes().startswith(b"\x89PNG")
    assert "best_model" in done.out
    assert "show last -w" in done.out and "--param seed=" in done.out
    assert "✓ evaluate ran" in done.err


def test_the_demo_on_blob_storage_does_the_same_and_reuses_it(
    mlsteps: Callable[..., Finished], tmp_path: Path
) -> None:
    first = mlsteps("demo", "--storage", "azurite", "--home", tmp_path)
    assert first.status == 0, first.err
    assert "✓ evaluate ran" in first.err
    assert "best_model" in first.out and "/mlsteps-demo/azureml/" in first.out
    again = mlsteps("demo", "--storage", "azurite", "--home", tmp_path)
    assert again.status == 0, again.err
    assert "↺ evaluate reused from run" in again.err
    assert "AccountKey" not in first.out + first.err + again.out + again.err
    assert processes_that_mention(str(tmp_path)) == []


def test_the_demo_in_containers_does_the_same_and_reuses_it(
    mlsteps: Callable[..., Finished], tmp_path: Path, docker_engine: DockerEngine
) -> None:
    demo = ("demo", "--compute", "docker", "--image", docker_engine.image, "--home", tmp_path)
    first = mlsteps(*demo, DOCKER_HOST=docker_engine.url)
    assert first.status == 0, first.err
    assert "✓ evaluate ran" in first.err
    assert "The better model is" in first.out
    assert f"make demo COMPUTE=docker IMAGE={docker_engine.image}" in first.out
    again = mlsteps(*demo, DOCKER_HOST=docker_engine.url)
    assert again.status == 0, again.err
    assert "↺ evaluate reused from run" in again.err
    with docker_engine.client() as client:
        assert client.containers.list(all=True, filters={"label": "mlsteps.job"}) == []


def test_the_demo_in_pods_does_the_same_and_reuses_it(
    mlsteps: Callable[..., Finished], tmp_path: Path, docker_engine: DockerEngine
) -> None:
    """The cluster is a double whose pods are real containers. Pushed images have tests of their own."""
    image = image_for_the_demo(docker_engine, tmp_path)
    demo = ("demo", "--compute", "kubernetes", "--storage", "azurite", "--home", tmp_path, "--image", image)
    with kubernetes_double(docker_engine) as cluster:
        config = tmp_path / "kubeconfig"
        config.write_text(json.dumps(cluster.kube_config))
        found = {"DOCKER_HOST": docker_engine.url, "KUBECONFIG": str(config)}
        first = mlsteps(*demo, timeout=380, **found)
        assert first.status == 0, first.err
        assert f"Scripts run in pods of namespace 'default' at {cluster.url}" in first.out
        assert "✓ evaluate ran" in first.err and "The better model is" in first.out
        assert "make demo WORKSPACE=azurite COMPUTE=kubernetes" in first.out
        assert len(cluster.created) == 5
        again = mlsteps(*demo, timeout=380, **found)
        assert again.status == 0, again.err
        assert "↺ evaluate reused from run" in again.err
        assert len(cluster.created) == 5


def image_for_the_demo(engine: DockerEngine, folder: Path) -> str:
    """The image that the demo in containers makes, too."""
    from mlsteps.cli.demo_choices import Compute, Place
    from mlsteps.cli.demo_compute import compute_settings
    from mlsteps.compute.packages import with_packages
    from mlsteps.data.stores import FolderStore
    from mlsteps.environment import EnvironmentLocks, ImageBuilder, plan_environment

    target = compute_settings(Place(compute=Compute.DOCKER))["compute_targets"]["docker"]
    plan = with_packages(plan_environment(None), target["packages"])
    locks = EnvironmentLocks(FolderStore(folder / "locks"), folder / "environments")
    builder = ImageBuilder(engine.url, folder / "environments", base_image=engine.image)
    return builder.get_or_build(plan, locks).name


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ([], "Pods do not reach a folder.*--storage"),
        (["--storage", "azurite"], "an image that has what the demo.*--push-to"),
        (["--storage", "azurite", "--image", "x"], "opens no cluster.*KUBECONFIG"),
    ],
)
def test_a_demo_in_pods_says_at_once_what_it_lacks(
    mlsteps: Callable[..., Finished], tmp_path: Path, arguments: list[str], wanted: str
) -> None:
    demo = ("demo", "--compute", "kubernetes", "--home", tmp_path, *arguments)
    done = mlsteps(*demo, KUBECONFIG=str(tmp_path / "none"))
    assert done.status == 2
    assert re.search(wanted, done.err), done.err


@pytest.mark.e2e
def test_the_demo_with_its_page_runs_and_stops_cleanly_on_ctrl_c(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW")}
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "mlsteps.cli", "demo", "--ui", "--home", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**environment, "COLUMNS": "200"},
        start_new_session=True,
    ) as demo:
        assert demo.stdout is not None
        lines = []
        for line in demo.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        shown = "".join(lines)
        assert "evaluate" in shown and "The better model is" in shown, shown
        url = next(word for word in shown.split() if word.startswith("http://127.0.0.1:"))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert opener.open(url, timeout=20).status == 200

        demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()
        assert demo.wait(60) == 0, rest
        assert "Airflow is stopped" in rest
    deadline = time.monotonic() + 10
    while left := processes_that_mention(str(tmp_path)):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def processes_that_mention(text: str) -> list[str]:
    """Command lines and working environments of processes that still belong to the demo."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if text.encode() in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return found

"""A quick guard of what ``bench.py`` measures: wide bounds and the best of three tries, for busy machines."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.containers import containers
from bench.dag_files import write_dag_file
from bench.launcher_data import launcher_data
from bench.listings import listings
from bench.pods import pods
from bench.processes import probe
from servers.docker_engine import DockerEngine

TRIES = 3


def best_of_tries(measure: Callable[[], float], limit: float) -> float:
    """The lowest of up to three values; stops at the first within the limit."""
    values = []
    for _ in range(TRIES):
        values.append(measure())
        if values[-1] <= limit:
            break
    return min(values)


def test_importing_the_package_costs_next_to_nothing(tmp_path: Path) -> None:
    limit = 0.05
    lines = ("import airflow.sdk", "import mlsteps")

    def seconds() -> float:
        return float(probe(tmp_path, "imports", lines[1])["seconds"][0])

    assert best_of_tries(seconds, limit) <= limit
    base, ours = probe(tmp_path, "imports", *lines)["seconds"]
    assert ours <= 0.1 * base


@pytest.mark.slow
@pytest.mark.parametrize("style", ["steps", "pipeline"])
def test_parsing_steps_costs_about_what_bash_operators_do(tmp_path: Path, style: str) -> None:
    steps, limit = 300, 2.0
    files = {name: str(write_dag_file(tmp_path, name, steps)) for name in ("bash", style)}

    def ratio() -> float:
        found = {name: probe(tmp_path, "dag", file) for name, file in files.items()}
        extra = 1 if style == "pipeline" else 0  # the sensor in front
        assert (found["bash"]["tasks"], found["bash"]["edges"]) == (steps, steps - 1)
        assert (found[style]["tasks"], found[style]["edges"]) == (steps + extra, steps - 1 + extra)
        return float(found[style]["parse"] / found["bash"]["parse"])

    assert best_of_tries(ratio, limit) <= limit


@pytest.mark.slow
@pytest.mark.parametrize("style", ["steps", "pipeline"])
def test_time_for_a_step_does_not_grow_with_the_pipeline(tmp_path: Path, style: str) -> None:
    """Ten times the steps cost ten times as much when linear, and up to a hundred times when quadratic.

    Beside BashOperators at the same moment: on a busy machine what is large gets slower than what is small.
    """
    few, many, limit = 400, 4000, 1.4
    files = {
        (kind, size): str(write_dag_file(tmp_path, kind, size))
        for kind in ("bash", style)
        for size in (few, many)
    }
    growth = {"parse": math.inf, "serialize": math.inf}
    for _ in range(TRIES):
        found = {key: probe(tmp_path, "dag", file) for key, file in files.items()}
        for part, lowest in growth.items():
            ours, theirs = (
                found[kind, many][part] / many / (found[kind, few][part] / few) for kind in (style, "bash")
            )
            growth[part] = min(lowest, ours / max(1.0, theirs))
        if max(growth.values()) <= limit:
            break
    assert max(growth.values()) <= limit, growth


@pytest.mark.slow
def test_steps_that_share_a_name_are_parsed_in_linear_time(tmp_path: Path) -> None:
    few, many, limit = 400, 4000, 1.5
    files = {}
    for size in (few, many):
        file = write_dag_file(tmp_path, "printing", size)
        text = file.read_text()
        assert text.count('name=f"step_{number}"') == 1
        file.write_text(text.replace('name=f"step_{number}"', 'name="step"'))
        files[size] = str(file)

    def growth() -> float:
        found = {size: probe(tmp_path, "dag", file)["parse"] / size for size, file in files.items()}
        return float(found[many] / found[few])

    assert best_of_tries(growth, limit) <= limit


@pytest.mark.slow
def test_comparing_many_blobs_takes_little_memory(tmp_path: Path) -> None:
    """With fewer blobs than the benchmark, and more than a transfer keeps in memory."""
    lines = listings(tmp_path, lambda text: None, few=2_000, many=25_000)
    assert len(lines) == 6
    assert all(line.passed for line in lines), lines


@pytest.mark.slow
def test_the_launcher_moves_data_about_as_fast_as_the_sdk(tmp_path: Path) -> None:
    lines = launcher_data(tmp_path, 1, lambda text: None, size=20_000_000)
    assert [line.what for line in lines] == ["launcher: input of 20 MB", "launcher: output of 20 MB"]
    assert all(line.value < 20 for line in lines)  # so little data is mostly the launcher's start


@pytest.mark.slow
@pytest.mark.xdist_group("docker")
@pytest.mark.timeout(300)
def test_a_job_in_a_container_takes_little_longer_than_docker_run(
    tmp_path: Path, docker_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", docker_engine.url)
    *jobs, sdk = containers(tmp_path, 3, lambda text: None)
    assert [job.what for job in jobs] == ["a job in a container", "a job in a container, no shared disk"]
    assert sdk.what == "import docker"
    for job in jobs:
        assert set(job.details) == {"docker run", "DockerCompute"}
        assert job.value < 2


@pytest.mark.slow
@pytest.mark.xdist_group("docker")
@pytest.mark.timeout(300)
def test_a_job_in_a_pod_takes_little_longer_than_a_bare_pod(
    tmp_path: Path, docker_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", docker_engine.url)
    monkeypatch.delenv("BENCH_KUBECONFIG", raising=False)
    [job] = pods(tmp_path, 2, lambda text: None)
    assert job.what == "a job in a pod, on a double of a cluster"
    assert set(job.details) == {"bare pod", "KubernetesCompute"}
    assert job.value < 4

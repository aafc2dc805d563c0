"""The tests are run in the order that makes the most of the workers."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from ordering import group_of
from servers.docker_engine import needs_docker


def test_groups_stand_together_and_begin_with_what_takes_longest(request: pytest.FixtureRequest) -> None:
    items = request.session.items
    groups = [name for name, _ in groupby(items, group_of)]
    assert len(groups) == len(set(groups))
    if "e2e" in groups:
        assert groups[0] == "e2e"
    containers = {group_of(item) for item in items if needs_docker(item)}
    if containers:
        before = items[: next(number for number, item in enumerate(items) if needs_docker(item))]
        slow = {group_of(item) for item in items if item.get_closest_marker("slow")}
        assert slow - containers <= {group_of(item) for item in before}


# Two groups that wait, and five that do not; each test says which worker runs it.
GROUPS = """
import os, time
import pytest

names = ("e2e", "a", "b", "c", "docker", "d", "e")

@pytest.mark.parametrize("group", [pytest.param(n, marks=pytest.mark.xdist_group(n)) for n in names])
@pytest.mark.parametrize("number", range(4))
def test_one(group, number):
    with open("ran", "a") as file:
        file.write(f"{group} {os.environ['PYTEST_XDIST_WORKER']}\\n")
    time.sleep(0.05)
"""


def ran_by(folder: Path, *options: str) -> dict[str, set[str]]:
    """The workers that run each group."""
    (folder / "test_groups.py").write_text(GROUPS)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        "/dev/null",
        "-p",
        "workers",
        "--dist",
        "loadgroup",
    ]
    done = subprocess.run(
        [*command, "--no-loadscope-reorder", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), "PYTEST_XDIST_AUTO_NUM_WORKERS": "2"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, set[str]] = {}
    for line in (folder / "ran").read_text().splitlines():
        found.setdefault(line.split()[0], set()).add(line.split()[1])
    return found


def test_one_more_worker_runs_what_waits_and_nothing_else(tmp_path: Path) -> None:
    ran = ran_by(tmp_path, "-n", "auto")
    assert sorted(ran) == ["a", "b", "c", "d", "docker", "e", "e2e"]
    (waiter,) = ran.pop("e2e") | ran.pop("docker")
    assert set().union(*ran.values()) == {"gw0", "gw1", "gw2"} - {waiter}


def test_without_what_waits_the_others_run_everything(tmp_path: Path) -> None:
    ran = ran_by(tmp_path, "-n", "auto", "-k", "not e2e and not docker")
    assert len(ran) == 5
    assert len(set().union(*ran.values())) == 2


def test_so_many_workers_as_are_asked_for_share_everything(tmp_path: Path) -> None:
    ran = ran_by(tmp_path, "-n", "2")
    assert len(ran) == 7
    assert set().union(*ran.values()) == {"gw0", "gw1"}

"""``mlsteps compute``: what there is, and pools in a real Airflow's database."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mlsteps import AmlCompute, ComputeTarget, Workspace

CONFIGURED = """
name: churn
compute_targets:
  cpu: {type: amlcompute, vm_size: STANDARD_D2_V2, max_nodes: 3}
  odd: {type: quantum}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "workspace.yaml").write_text(CONFIGURED)
    configuration = AmlCompute.provisioning_configuration("STANDARD_NC6", max_nodes=2)
    ComputeTarget.create(Workspace(folder=tmp_path), "gpu 1", configuration)
    return tmp_path


def call(folder: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200", "AIRFLOW_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "mlsteps.cli", "compute", *words, "--workspace", str(folder)],
        capture_output=True,
        text=True,
        timeout=180,
        env=environment,
        stdin=subprocess.DEVNULL,
    )


def test_targets_are_listed_with_what_is_wrong(folder: Path, airflow_home: Path) -> None:
    listed = call(folder, airflow_home)

    assert listed.returncode == 0, listed.stderr
    rows = [[cell.strip() for cell in line.split("│")] for line in listed.stdout.splitlines()]
    assert ["local", "local", "any", "mlsteps_churn_local", "configured"] in rows
    assert ["cpu", "amlcompute", "3", "mlsteps_churn_cpu", "configured"] in rows
    assert ["gpu 1", "amlcompute", "2", "mlsteps_churn_gpu_1", "registered"] in rows
    assert "'odd' has the unknown type 'quantum'" in listed.stdout


def test_the_commands_are_printed_and_nothing_is_done(folder: Path, airflow_home: Path) -> None:
    printed = call(folder, airflow_home, "sync", "--dry-run")

    commands = [shlex.split(line) for line in printed.stdout.splitlines()]
    assert [command[:5] for command in commands] == [
        ["airflow", "pools", "set", "mlsteps_churn_local", "-1"],
        ["airflow", "pools", "set", "mlsteps_churn_cpu", "3"],
        ["airflow", "pools", "set", "mlsteps_churn_gpu_1", "2"],
    ]


def test_pools_are_made_and_changed(folder: Path, airflow_db: Path) -> None:
    from airflow.models.pool import Pool

    done = call(folder, airflow_db, "sync")
    assert done.returncode == 0, done.stderr
    slots = {pool.pool: pool.slots for pool in Pool.get_pools()}
    assert (
        slots.items() >= {"mlsteps_churn_local": -1, "mlsteps_churn_cpu": 3, "mlsteps_churn_gpu_1": 2}.items()
    )

    AmlCompute(Workspace(folder=folder), "gpu 1").update(max_nodes=5)
    assert call(folder, airflow_db, "sync").returncode == 0
    assert {pool.pool: pool.slots for pool in Pool.get_pools()}["mlsteps_churn_gpu_1"] == 5


def test_an_unknown_action(folder: Path, airflow_home: Path) -> None:
    wrong = call(folder, airflow_home, "destroy")

    assert wrong.returncode == 2 and "there is list and sync" in wrong.stderr

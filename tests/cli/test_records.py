"""``mlsteps runs`` and ``mlsteps show``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import DAGS, Finished, call_here

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

Command = Callable[..., Finished]


@pytest.fixture(scope="module")
def two_runs(airflow_db: Path, workspace: Path) -> list[dict[str, Any]]:
    """A run that failed, and after it one that succeeded."""
    calls = (("--param", "fail=yes"), ())
    return [call_here(workspace, "run", DAGS / "mixed.py", "--json", *call).last_json for call in calls]


def test_runs_are_listed_newest_first_with_their_state(
    mlsteps: Command, two_runs: list[dict[str, Any]]
) -> None:
    listed = mlsteps("runs", "--json").last_json
    assert [run["run_id"] for run in listed] == [run["run_id"] for run in reversed(two_runs)]
    assert [run["state"] for run in listed] == ["success", "failed"]
    text = mlsteps("runs").out
    assert "mixed" in text and "failed" in text and "1/1" in text
    assert len(mlsteps("runs", "-n", "1", "--json").last_json) == 1


def test_one_run_is_shown_with_steps_errors_and_logs(
    mlsteps: Command, two_runs: list[dict[str, Any]]
) -> None:
    text = mlsteps("show", two_runs[0]["run_id"], "--logs").out
    assert "speak up" in text and "ValueError: asked to fail: yes" in text
    assert "hello 2 0.5 False" in text and "aside" in text
    assert "rate=0.5" in text

    last = mlsteps("show", "last", "--json").last_json
    assert last["run_id"] == two_runs[1]["run_id"]
    step = last["steps"][0]
    assert step["exit_code"] == 0 and step["where"]["compute"]["type"] == "local"
    assert step["source"]["snapshot"].startswith("sha256t:")
    assert step["command"][1:3] == ["speak.py", step["outputs"]["made"]["url"]]


def test_a_step_is_found_by_its_name_or_task_id(mlsteps: Command, two_runs: list[dict[str, Any]]) -> None:
    assert mlsteps("show", "last", "--step", "speak up").status == 0
    assert mlsteps("show", "last", "--step", "speak_up").status == 0
    missing = mlsteps("show", "last", "--step", "listen")
    assert missing.status == 2 and "'speak up'" in missing.err


def test_a_run_nobody_knows_is_told(mlsteps: Command, two_runs: list[dict[str, Any]]) -> None:
    unknown = mlsteps("show", "manual__2000-01-01")
    assert unknown.status == 2 and "'mlsteps runs' lists them" in " ".join(unknown.err.split())


def test_an_empty_workspace_has_no_runs(mlsteps: Command, tmp_path: Path) -> None:
    empty = mlsteps("runs", folder=tmp_path)
    assert empty.status == 0 and "No runs" in empty.out

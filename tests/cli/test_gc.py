"""``mlsteps gc``: what it says, and what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cleaning.world import NOW, World
from mlsteps.cli.app import app
from mlsteps.cli.gc import parse_duration
from mlsteps.data.stores import FolderStore
from mlsteps.exceptions import UserErrorException

from .conftest import Finished

Gc = Callable[..., Result]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The workspace of ``tmp_path``: two old runs of one DAG, and a last one."""
    made = World(FolderStore(tmp_path / "workspaceblobstore"))
    # Ages are from a day of their own.
    shift = (datetime.now(timezone.utc) - NOW) / timedelta(days=1)
    made.ran(made.run("r1", 50 - shift), number=1)
    made.ran(made.run("r2", 10 - shift), number=2, code="other")
    made.ran(made.run("r3", 1 - shift), number=3, code="other")
    return made


@pytest.fixture
def gc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gc:
    for name in ("MLSTEPS_WORKSPACE", "AIRFLOW_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(app, ["gc", "--workspace", str(tmp_path), *words])


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def test_it_says_in_json_what_it_deleted(world: World, gc: Gc) -> None:
    said = told(gc("--json"))
    assert not said["dry_run"] and said["active"] == [] and said["warnings"] == []
    deleted = said["deleted"]
    assert list(deleted) == ["runs", "outputs", "snapshots", "entries", "listings", "claims"]
    assert [kind["number"] for kind in deleted.values()] == [1, 1, 1, 1, 1, 0]
    assert deleted["outputs"]["bytes"] == 14 and deleted["snapshots"]["bytes"] == 3
    assert not world.has("azureml/train.r1.prepare.1") and world.has("azureml/train.r2.prepare.1")
    assert told(gc("--json"))["deleted"]["runs"]["number"] == 0


def test_people_get_a_table_and_a_sum(world: World, gc: Gc) -> None:
    dry = gc("--dry-run")
    assert "nothing was deleted" in dry.stdout and world.has("azureml/train.r1.prepare.1")
    text = gc().stdout
    rows = [line.split()[:3] for line in text.splitlines()]
    assert ["runs", "│", "1"] in rows and ["claims", "│", "0"] in rows
    assert "reuse entries" in text and "14 bytes" in text and "Freed" in text and "in 8 files" in text


def test_ages_and_numbers_are_given_by_options(world: World, gc: Gc) -> None:
    def runs(*words: str) -> int:
        number: int = told(gc("--json", "--dry-run", *words))["deleted"]["runs"]["number"]
        return number

    assert runs("--older-than", "9d") == 2
    assert runs("--older-than", "9d", "--keep-last", "2") == 1
    assert runs("--older-than", "0d", "--keep-last", "0") == 3
    assert runs("--older-than", "2400h") == 0


def test_why_results_stay_while_a_run_is_active(world: World, gc: Gc) -> None:
    run = world.run("manual__now", 0)
    world.running(run)
    assert (
        "A run is active (train / manual__now): results that could be reused are left alone." in gc().stdout
    )
    assert told(gc("--json"))["active"] == [{"dag_id": "train", "run_id": "manual__now"}]


def test_what_is_left_alone_is_told_on_the_error_stream(world: World, gc: Gc) -> None:
    world.store.write("mlsteps/runs/train/r1/run.json", b"{half")
    result = gc("--json")
    assert "Left alone: mlsteps/runs/train/r1/run.json is not a record" in result.stderr
    assert told(result)["warnings"]


@pytest.mark.parametrize("word", ["30", "d", "-1d", "3 weeks", "1.5h", "99999999d"])
def test_what_is_no_duration_is_refused(gc: Gc, word: str) -> None:
    result = gc(f"--older-than={word}")
    assert result.exit_code == 2 and "is no duration: write it like 30d" in result.stderr


def test_a_negative_number_of_runs_is_refused(gc: Gc) -> None:
    assert gc("--keep-last", "-1").exit_code == 2


def test_durations() -> None:
    assert parse_duration("30d") == timedelta(days=30)
    assert parse_duration("12h") == timedelta(hours=12)
    assert parse_duration(" 90m ") == timedelta(minutes=90)
    assert parse_duration("0d") == timedelta()
    with pytest.raises(UserErrorException):
        parse_duration("")


def test_an_empty_workspace_is_left_as_it_is(mlsteps: Callable[..., Finished], tmp_path: Path) -> None:
    done = mlsteps("gc", "--workspace", tmp_path)
    assert done.status == 0 and "Freed 0 bytes in 0 files." in done.out and done.err == ""
    assert list(tmp_path.iterdir()) == []

"""``mlsteps run``: what it prints, how it ends, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from examples.test_examples import BY_THEMSELVES

from .conftest import DAGS, Finished

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

Command = Callable[..., Finished]


@pytest.mark.parametrize("example", BY_THEMSELVES, ids=lambda path: path.stem)
def test_every_example_runs_and_its_last_line_is_json(here: Command, example: Path) -> None:
    done = here("run", example, "--json")
    assert done.status == 0, done.err
    report = done.last_json
    assert report["state"] == "success"
    assert report["steps"]
    for step in report["steps"]:
        assert step["state"] == "ran"
        assert set(step) >= {"name", "state", "reason", "seconds", "exit_code", "outputs", "metrics"}
        for path in step["outputs"].values():
            assert Path(path).is_absolute() and Path(path).exists()
    assert any(step["metrics"] for step in report["steps"])


def test_a_run_reports_steps_and_tasks_in_order_with_outputs_and_metrics(mlsteps: Command) -> None:
    done = mlsteps(
        "run", DAGS / "mixed.py", "--json", "-p", "times=3", "-p", "greeting=bye", "-p", "loud=true"
    )
    assert done.status == 0, done.err
    speak, read = done.last_json["steps"]
    assert (speak["name"], speak["task_id"], speak["state"], speak["exit_code"]) == (
        "speak up",
        "speak_up",
        "ran",
        0,
    )
    assert speak["metrics"] == {"times": 3}
    assert Path(speak["outputs"]["made"]).read_text() == "byebyebye"
    assert (read["name"], read["state"], read["outputs"]) == ("read", "ran", {})
    assert done.last_json["metrics"] == {"rate": 0.5}
    assert "stdout │ bye 3 0.5 True" in done.err
    assert "stderr │ aside" in done.err
    assert "read byebyebye" in done.err
    assert len(done.out.splitlines()) == 1, "with --json, stdout holds nothing else"


def test_a_failing_script_fails_the_run_and_says_why(mlsteps: Command) -> None:
    done = mlsteps("run", DAGS / "mixed.py", "--json", "--param", "fail=me")
    assert done.status == 1
    speak, read = done.last_json["steps"]
    assert done.last_json["state"] == "failed"
    assert (speak["state"], speak["exit_code"], speak["outputs"]) == ("failed", 1, {})
    assert "ValueError: asked to fail: me" in speak["reason"]
    assert read["state"] == "not_started"
    assert "Traceback" in done.err and "task_runner.py" not in done.err, (
        "only the script's own traceback is shown"
    )


def test_a_run_that_is_called_off_is_canceled_and_no_success(mlsteps: Command) -> None:
    done = mlsteps("run", DAGS / "gate.py", "--json")
    assert done.status == 1
    assert done.last_json["state"] == "canceled"
    assert [step["state"] for step in done.last_json["steps"]] == ["ran", "skipped"]
    assert "first" in done.last_json["steps"][1]["reason"]


def test_pipelines_without_a_dag_run_too_and_several_are_reported_together(here: Command) -> None:
    done = here("run", DAGS / "two_pipelines.py", "--json")
    assert done.status == 0, done.err
    assert [run["dag_id"] for run in done.last_json["runs"]] == ["two_pipelines_one", "two_pipelines_two"]
    assert [step["name"] for step in done.last_json["steps"]] == ["say", "say"]
    assert "saying one" in done.err and "saying two" in done.err

    one = here("run", DAGS / "two_pipelines.py", "--json", "--dag", "two_pipelines_two")
    assert one.last_json["dag_id"] == "two_pipelines_two"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mixed.py", "-p", "times=many"], "Parameter 'times' of 'mixed' cannot be 'many'"),
        (["mixed.py", "-p", "times=1.5"], "Parameter 'times' of 'mixed' cannot be '1.5'"),
        (["mixed.py", "-p", "greeting=howdy"], "Parameter 'greeting' of 'mixed' cannot be 'howdy'"),
        (
            ["mixed.py", "-p", "tmies=1"],
            "There is no parameter 'tmies'; there is fail, greeting, loud, rate, regenerate_outputs, times",
        ),
        (["mixed.py", "-p", "times"], "--param 'times' is not of the form NAME=VALUE"),
        (["mixed.py", "--dag", "other"], "has no DAG 'other'; it has mixed"),
        (["nothing.py"], "there is no such file"),
        (["broken.py"], "Step 'lost', argument 'script_name': script not found"),
        (
            ["unknown_compute.py"],
            "Step 'say', argument 'compute_target': 'gpu-cluster' is not a compute target",
        ),
    ],
)
def test_a_mistake_in_the_call_is_told_before_anything_runs(
    here: Command, arguments: list[str], message: str
) -> None:
    done = here("run", DAGS / arguments[0], *arguments[1:])
    assert done.status == 2
    assert message in " ".join(done.err.split())
    assert "●" not in done.err

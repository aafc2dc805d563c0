"""Records as runs of MLflow."""

from __future__ import annotations

from typing import Any

import pytest

from mlsteps.records import DeclaredStep, ModelRecord, RunRecord, StepRecord
from mlsteps.tracking.mapping import model_of, pipeline_of, step_of

EVENT = {"name": "loss", "kind": "scalar", "value": 1.0, "time": "2026-01-02T03:04:05+00:00"}


def record(**known: Any) -> StepRecord:
    return StepRecord(
        **{
            **dict(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1, name="train"),
            **dict(step_run_id="d.r.t.1", step_type="PythonScriptStep", state="ran", metric_events=(EVENT,)),
            **dict(started="2026-01-02T03:04:05+00:00", ended="2026-01-02T03:04:06+00:00"),
            **known,
        }
    )


def test_a_pipeline_run() -> None:
    run = RunRecord(
        "d",
        "r",
        "forecast",
        "2026-01-02T03:04:05+00:00",
        "words",
        {"rate": 0.5},
        (DeclaredStep("t", "train"),),
    )
    made = pipeline_of(run)
    assert (made["experiment"], made["name"], made["start"]) == ("forecast", "r", 1767323045000)
    assert (made["params"], made["declared"]) == ({"rate": "0.5"}, ["t"])
    assert made["tags"]["mlflow.note.content"] == "words"
    assert made["tags"]["mlsteps.pipeline"] == made["key"] == run.folder


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("ran", "FINISHED"),
        ("reused", "FINISHED"),
        ("failed", "FAILED"),
        ("canceled", "KILLED"),
        ("skipped", "KILLED"),
    ],
)
def test_how_a_step_ended(state: str, status: str) -> None:
    made = step_of(record(state=state))
    assert (made["status"], made["tags"]["mlsteps.state"]) == (status, state)


def test_the_code_it_ran_and_where_its_outputs_are() -> None:
    source = {"git": {"commit": "c0ffee", "branch": "main", "dirty": True}, "snapshot": "5afe"}
    tags = step_of(record(source=source, outputs={"model": {"url": "/data/model"}}))["tags"]
    assert tags["mlflow.source.git.commit"] == "c0ffee"
    assert (tags["mlsteps.uncommitted_changes"], tags["mlsteps.snapshot"]) == ("yes", "5afe")
    assert tags["mlsteps.output.model"] == "/data/model"


def test_tags_of_the_script_do_not_stand_for_ours() -> None:
    tags = step_of(record(tags={"mlsteps.state": "fine", "a b": None}))["tags"]
    assert (tags["mlsteps.state"], tags["a b"]) == ("ran", "")


def test_a_reused_step_is_a_link_and_no_copy() -> None:
    origin = {"step_run_id": "d.q.t.1", "run_id": "q", "dag_id": "d"}
    reused = record(state="reused", tags={"a": "b"}, models=("m:1",), reused_from=origin, reason="no change")
    made = step_of(reused, [{"name": "m"}], {"run_id": "abc", "experiment_id": "7"})
    assert (made["metrics"], made["models"], made["texts"], "a" in made["tags"]) == ([], [], {}, False)
    assert made["tags"]["mlsteps.reused_from_mlflow_run"] == "abc"
    assert "(#/experiments/7/runs/abc)" in made["tags"]["mlflow.note.content"]
    assert "mlsteps.reused_from_mlflow_run" not in step_of(reused)["tags"]


def test_long_values_are_cut() -> None:
    tags = step_of(record(error="x" * 9000))["tags"]
    assert len(tags["mlsteps.error"]) == 5000


def test_a_model_keeps_its_id_labels_and_datasets() -> None:
    model = ModelRecord(
        "a/b", 3, "p", "2026-01-02T03:04:05+00:00", "", "", "",
        framework="ScikitLearn", tags={"t": "1"}, datasets=(("training", "rows"),),
    )  # fmt: skip
    made = model_of(model, None, "/data/p")
    assert (made["name"], made["id"], made["path"]) == ("a_b", "a/b:3", None)
    assert made["tags"] == {
        "t": "1",
        "mlsteps.dataset.training": "rows",
        "mlsteps.model": "a/b:3",
        "mlsteps.url": "/data/p",
        "mlsteps.framework": "ScikitLearn",
    }

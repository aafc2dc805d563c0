"""Runs, metrics, files and models in a real MLflow server."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from mlsteps import Experiment, Model, OutputFileDatasetConfig, Pipeline, PipelineParameter, PipelineRun
from mlsteps.records import read_model
from mlsteps.run.journal import utc_now
from mlsteps.tracking import forward_step
from mlsteps.tracking.unsent import FOLDER as UNSENT
from servers.mlflow_server import PASSWORD, USER, MlflowServer, params_of, tags_of
from steps.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BUSY = 240  # seconds: of the server and its clients on a machine that does much else
PREPARE = """
    import os, sys
    from pathlib import Path
    (Path(sys.argv[1]) / "rows.csv").write_text("1,2")
"""
TRAIN = """
    import os
    from pathlib import Path
    from mlsteps import Run

    run = Run.get_context()
    for epoch in (1, 2, 3):
        run.log("loss", 1 / epoch, step=10 * epoch)
    run.log_list("accuracy", [0.5, 0.5, 0.75])
    run.log_row("scores", auc=0.8, kind="linear")
    run.log("solver", "sgd")
    run.log_confusion_matrix("confusion", {"schema_type": "confusion_matrix"})
    run.parent.log("best", 0.75)
    run.parent.tag("winner", "linear")
    run.tag("kind", "linear")
    Path("outputs/net").mkdir(parents=True)
    Path("outputs/net/weights.txt").write_text("weights")
    Path("outputs/large.txt").write_text("x" * 2000)
    run.register_model("forecast", "outputs/net", tags={"rmse": 0.1}, description="of the test")
    assert not [name for name in os.environ if "MLFLOW" in name or "AIRFLOW" in name]
"""


def configure(project: Project, **settings: Any) -> None:
    """Write the section of workspace.yaml."""
    (project.folder / "workspace.yaml").write_text(json.dumps({"mlflow": settings}))


@pytest.fixture
def forwarding(project: Project, mlflow: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose runs are forwarded, by a connection with a user and a password."""
    monkeypatch.setenv("AIRFLOW_CONN_MY_MLFLOW", f"{mlflow.url.replace('://', f'://{USER}:{PASSWORD}@')}")
    configure(project, conn_id="my_mlflow", max_file_mb=0.001, timeout=BUSY)
    return project


def submit(project: Project, experiment: str, *steps: Any, **options: Any) -> PipelineRun:
    pipeline = Pipeline(project.workspace, steps=list(steps))
    return Experiment(project.workspace, experiment).submit(pipeline, **options)


def unsent(project: Project) -> list[str]:
    return project.workspace.record_store().list_names(UNSENT)


def test_a_run_and_one_that_reuses_it(forwarding: Project, mlflow: MlflowServer) -> None:
    rows = OutputFileDatasetConfig("rows")
    prepare = forwarding.step("prepare", PREPARE, arguments=[rows])
    rate = PipelineParameter("rate", 0.5)
    train = forwarding.step("train", TRAIN, inputs=[rows.as_input("data")], arguments=["--rate", rate])
    first = submit(forwarding, "forecast", prepare, train, tags={"team": "sales"})
    assert first.status == "Completed"

    (parent,) = mlflow.runs("forecast", "tags.`mlsteps.dag_id` = 'forecast' and tags.`team` = 'sales'")
    assert parent["info"]["run_name"] == first.id
    assert (parent["info"]["status"], params_of(parent)) == ("FINISHED", {"rate": "0.5"})
    assert (
        tags_of(parent).items() >= {"team": "sales", "winner": "linear", "mlsteps.run_id": first.id}.items()
    )
    assert mlflow.history(parent, "best") == [(0, 0.75)]

    nested = mlflow.runs("forecast", f"tags.`mlflow.parentRunId` = '{parent['info']['run_id']}'")
    assert [run["info"]["run_name"] for run in nested] == ["prepare", "train"]
    assert {run["info"]["status"] for run in nested} == {"FINISHED"}
    prepared, trained = nested
    (output,) = [value for name, value in tags_of(prepared).items() if name == "mlsteps.output.rows"]
    assert (Path(output) / "rows.csv").read_text() == "1,2"
    assert params_of(trained) == {"rate": "0.5"}
    assert mlflow.history(trained, "loss") == [(10, 1.0), (20, 0.5), (30, pytest.approx(1 / 3))]
    assert mlflow.history(trained, "accuracy") == [(0, 0.5), (1, 0.5), (2, 0.75)]
    assert mlflow.history(trained, "scores/auc") == [(0, 0.8)]
    told = tags_of(trained)
    (step,) = first.find_step_run("train")
    assert told.items() >= {"kind": "linear", "solver": "sgd", "scores/kind": "linear"}.items()
    assert told.items() >= {"mlsteps.state": "ran", "mlsteps.step_run_id": step.id}.items()
    assert told["mlsteps.file.outputs/large.txt"].endswith("/outputs/large.txt")
    assert mlflow.artifact(trained, "outputs/net/weights.txt") == b"weights"
    assert json.loads(mlflow.artifact(trained, "metrics/confusion.json")) == {
        "schema_type": "confusion_matrix"
    }
    assert json.loads(mlflow.artifact(trained, "mlsteps/step.json"))["command"][-2:] == ["--rate", "0.5"]

    (version,) = mlflow.ask("model-versions/search", filter="name='forecast'")["model_versions"]
    assert (version["run_id"], version["description"]) == (trained["info"]["run_id"], "of the test")
    assert tags_of(version).items() >= {"rmse": "0.1", "mlsteps.model": "forecast:1"}.items()
    assert mlflow.read(f"{version['source']}/weights.txt") == b"weights"

    second = submit(forwarding, "forecast", prepare, train)
    (again,) = mlflow.runs(
        "forecast", f"tags.`mlsteps.run_id` = '{second.id}' and attributes.run_name = 'train'"
    )
    told = tags_of(again)
    assert (told["mlsteps.state"], again["data"].get("metrics", [])) == ("reused", [])
    assert told["mlsteps.reused_from_mlflow_run"] == trained["info"]["run_id"]
    assert f"/runs/{trained['info']['run_id']})" in told["mlflow.note.content"]
    (parent_again,) = mlflow.runs("forecast", f"attributes.run_name = '{second.id}'")
    assert parent_again["info"]["status"] == "FINISHED"
    assert len(mlflow.ask("model-versions/search", filter="name='forecast'")["model_versions"]) == 1
    assert unsent(forwarding) == []


def test_tries_are_runs_of_their_own_and_nothing_is_sent_twice(
    forwarding: Project, mlflow: MlflowServer
) -> None:
    text = """
        from mlsteps import Run
        Run.get_context().log_list("loss", [1.0, 1.0, 0.5])
        raise SystemExit(3)
    """
    failed = submit(forwarding, "flaky", forwarding.step("flaky", text))
    assert failed.status == "Failed"
    parent, tried = mlflow.runs("flaky")
    assert (parent["info"]["status"], tried["info"]["status"]) == ("FAILED", "FAILED")
    assert "exit code 3" in tags_of(tried)["mlsteps.error"]

    (step,) = failed.get_steps()
    store = forwarding.workspace.record_store()
    for file in (
        "mlflow.json",
        "steps/flaky/try-1/mlflow.json",
    ):  # as if it had been killed before the notes
        store.delete(f"{failed.record.folder}/{file}")
    forward_step(forwarding.workspace, step.record, logging.getLogger())
    assert len(mlflow.runs("flaky")) == 2
    assert mlflow.history(tried, "loss") == [(0, 1.0), (1, 1.0), (2, 0.5)]

    retried = step.record.with_(try_number=2, step_run_id=f"{step.id}-2", state="ran", started=utc_now())
    retried.save(store)
    forward_step(forwarding.workspace, retried, logging.getLogger())
    parent, *tries = mlflow.runs("flaky")
    assert [tags_of(run)["mlsteps.try_number"] for run in tries] == ["1", "2"]
    assert parent["info"]["status"] == "FINISHED"


def test_a_server_that_is_down_costs_a_warning_and_gets_everything_later(
    project: Project,
    mlflow: MlflowServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    configure(project, timeout=BUSY)
    text = "from mlsteps import Run; Run.get_context().log('loss', 0.5)"
    early = submit(project, "early", project.step("early", text))
    assert early.status == "Completed"
    assert "MLflow did not get step 'early': ConnectError" in capsys.readouterr().out
    assert len(unsent(project)) == 1

    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow.url)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", USER)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    submit(project, "late", project.step("late", "print(1)"))
    parent, step = mlflow.runs("early")
    assert (parent["info"]["status"], step["info"]["run_name"]) == ("FINISHED", "early")
    assert mlflow.history(step, "loss") == [(0, 0.5)]
    assert [run["info"]["status"] for run in mlflow.runs("late")] == ["FINISHED", "FINISHED"]
    assert unsent(project) == []


def test_a_wrong_password_is_told_without_it(
    forwarding: Project,
    mlflow: MlflowServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    address = mlflow.url.replace("://", f"://{USER}:not-the-right-word@")
    monkeypatch.setenv("AIRFLOW_CONN_MY_MLFLOW", address)
    run = submit(forwarding, "locked out", forwarding.step("any", "print('on')"))
    assert run.status == "Completed"
    told = "".join(capfd.readouterr())
    assert "MLflow did not get step 'any'" in told and "401" in told
    kept = [path.read_bytes() for path in forwarding.folder.rglob("*") if path.is_file()]
    assert "not-the-right-word" not in told and not any(b"not-the-right-word" in text for text in kept)


def test_a_model_that_is_registered_by_hand(
    forwarding: Project, mlflow: MlflowServer, tmp_path: Path
) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"by hand")
    for number in (1, 2):
        Model.register(
            forwarding.workspace, file, "by/hand", tags={"n": number}, properties={"p": "q"}, description="d"
        )
    versions = mlflow.ask("model-versions/search", filter="name='by_hand'")["model_versions"]
    assert [tags_of(one)["mlsteps.model"] for one in reversed(versions)] == ["by/hand:1", "by/hand:2"]
    newest = versions[0]
    assert tags_of(newest).items() >= {"n": "2", "mlsteps.property.p": "q"}.items()
    assert (newest["description"], mlflow.read(newest["source"])) == ("d", b"by hand")

    model = Model(forwarding.workspace, "by/hand")
    model.update(tags={"stage": "production"}, description="in use")
    Model(forwarding.workspace, "by/hand", version=1).delete()
    newest, oldest = mlflow.ask("model-versions/search", filter="name='by_hand'")["model_versions"]
    told = tags_of(newest)
    assert (told["stage"], "n" in told, newest["description"]) == ("production", False, "in use")
    assert tags_of(oldest).items() >= {"n": "1", "mlsteps.deleted": "yes"}.items()
    record = read_model(forwarding.workspace.record_store(), "by/hand")
    assert record is not None and tags_of(newest)["mlsteps.url"].endswith(record.path)

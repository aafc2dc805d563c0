"""Experiments: submitting pipelines in this process, and reading runs and steps as SDK v1 does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mlsteps import (
    Experiment,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PipelineRun,
)
from mlsteps.exceptions import (
    ActivityFailedException,
    DataNotFoundException,
    PipelineParameterError,
    UserErrorException,
    WorkspaceException,
)
from steps.project import Project

RUN = "from mlsteps.run import Run; run = Run.get_context();"


@pytest.mark.smoke
def test_successful_run_is_read_as_sdk_v1_does(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = PipelineData("model", pipeline_output_name="the_model")
    table = OutputFileDatasetConfig("table")
    rate = PipelineParameter("rate", 0.1)
    evaluate = project.step(
        "Evaluate ",
        f"""
        import sys
        {RUN}
        assert run.parent.get_metrics() == {{"best": 0.9}}
        run.log("score", open(sys.argv[1]).read())
        run.tag("stage", "test"); run.parent.tag("checked", "yes")
        print("to stdout"); print("to stderr", file=sys.stderr)
        """,
        inputs=[model],
        arguments=[model],
    )
    project.step(
        "train",
        f"""
        import sys
        {RUN}
        open(sys.argv[1], "w").write("model " + sys.argv[3])
        open(sys.argv[2] + "/rows.csv", "w").write("rows")
        open("outputs/plot.txt", "w").write("plot")
        run.log("accuracy", 0.5); run.log("accuracy", 0.7); run.parent.log("best", 0.9)
        """,
        outputs=[model],
        arguments=[model, table, rate],
    )
    experiment = Experiment(project.workspace, "my experiment")
    run = experiment.submit(
        Pipeline(project.workspace, [evaluate]), tags={"why": "test"}, pipeline_parameters={"rate": 0.5}
    )

    assert (run.get_status(), run.status) == ("Finished", "Completed")
    assert run.wait_for_completion() == "Finished"
    assert capsys.readouterr().out.splitlines()[-2:] == ["train: Finished", "Evaluate: Finished"]
    assert (
        [step.name for step in run.get_steps()]
        == [step.name for step in run.get_children()]
        == ["train", "Evaluate "]
    )
    assert run.find_step_run("Evaluate") == []
    (step,) = run.find_step_run("Evaluate ")
    (train,) = run.find_step_run("train")
    assert (step.get_status(), step.status, step.pipeline_run_id) == ("Finished", "Completed", run.id)
    assert step.parent is run
    assert step.get_metrics() == {"score": "model 0.5"}
    assert step.get_tags() == {"stage": "test"}
    assert train.get_metrics() == {"accuracy": [0.5, 0.7]}
    assert train.get_metrics("other") == {}
    assert run.get_metrics() == {"best": 0.9}
    assert run.get_metrics("nothing") == {}
    everything = run.get_metrics(recursive=True)
    assert everything == {
        run.id: {"best": 0.9},
        train.id: {"accuracy": [0.5, 0.7]},
        step.id: {"score": "model 0.5"},
    }
    assert run.get_tags() == run.tags == {"why": "test", "checked": "yes"}

    assert set(train.get_outputs()) == {"model", "table"}
    assert train.get_output("table").get_port_data_reference().files() == ["rows.csv"]
    assert train.get_outputs()["model"].pipeline_run_id == run.id
    assert train.get_output_data("model").open().read() == "model 0.5"
    assert run.get_pipeline_output("the_model") == train.get_output_data("model")
    with pytest.raises(KeyError):
        train.get_output("nothing")
    with pytest.raises(KeyError, match="step 'train' has no output 'nothing'; it has model, table"):
        train.get_output_data("nothing")
    with pytest.raises(DataNotFoundException, match="no pipeline output 'nothing'; there is the_model"):
        run.get_pipeline_output("nothing")
    local = tmp_path / "local"
    assert train.get_output_data("model").download(str(local)) == 1
    assert [path.name for path in local.rglob("*") if path.is_file()] == ["model"]

    assert (step.get_stdout_log(), step.get_stderr_log()) == ("to stdout\n", "to stderr\n")
    assert step.get_job_log() == "to stdout\nto stderr\n"
    assert train.get_file_names() == ["outputs/plot.txt"]
    monkeypatch.chdir(tmp_path)
    train.download_file("outputs/plot.txt")
    train.download_file("outputs/plot.txt", str(tmp_path / "deep" / "er.txt"))
    assert (tmp_path / "plot.txt").read_text() == (tmp_path / "deep" / "er.txt").read_text() == "plot"
    with pytest.raises(
        DataNotFoundException, match="Step 'train' kept no file 'x'; it kept outputs/plot.txt"
    ):
        train.download_file("x")
    assert train.wait_for_completion() == "Finished"
    assert "Finished" in repr(run) and "train" in repr(train)
    assert run.record.parameters == {"rate": 0.5}

    assert [found.id for found in experiment.get_runs()] == [run.id]
    assert PipelineRun.get(project.workspace, run.id).find_step_run("train")
    assert [found.name for found in Experiment.list(project.workspace)] == ["my experiment"]
    assert Experiment.list(project.workspace, "other") == []
    assert list(project.workspace.experiments) == ["my experiment"]
    with pytest.raises(WorkspaceException, match="has no run 'nothing'"):
        PipelineRun.get(project.workspace, "nothing")


def failing(project: Project) -> Pipeline:
    """Steps of which the first one fails; one of the others depends on it."""
    data = PipelineData("data")
    fails = project.step("fails", "raise SystemExit(7)", outputs=[data])
    dependent, other = project.step("dependent", inputs=[data]), project.step("other")
    last = project.step("last")
    last.run_after(other)
    return Pipeline(project.workspace, [fails, dependent, other, last])


def ends(run: PipelineRun) -> dict[str, str]:
    return {step.name: step.get_status() for step in run.get_steps()}


@pytest.mark.smoke
def test_failed_step_stops_what_has_not_started(project: Project) -> None:
    run = failing(project).submit("stops")
    assert (run.get_status(), run.status) == ("Failed", "Failed")
    assert ends(run)["fails"] == "Failed"
    assert ends(run).get("last") in (None, "Canceled")
    assert "dependent" not in ends(run)
    with pytest.raises(
        ActivityFailedException, match=r"(?s)failed.*fails: Step 'fails': .*exit code 7"
    ) as raised:
        run.wait_for_completion(show_output=False)
    assert "exit code 7" in raised.value.message
    assert run.wait_for_completion(show_output=False, raise_on_error=False) == "Failed"
    (step,) = run.find_step_run("fails")
    with pytest.raises(ActivityFailedException, match="Step 'fails' failed"):
        step.wait_for_completion(show_output=False)


def test_other_steps_go_on_when_asked_to(project: Project) -> None:
    run = failing(project).submit("goes_on", continue_on_step_failure=True)
    assert run.get_status() == "Failed"
    assert ends(run) == {"fails": "Failed", "other": "Finished", "last": "Finished"}


def test_try_that_fails_is_no_failure(project: Project) -> None:
    from datetime import timedelta

    flaky = project.step(
        "flaky",
        "import os, sys; sys.exit(os.environ['MLSTEPS_TRY_NUMBER'] == '1')",
        retries=1,
        retry_delay=timedelta(0),
        retry_policy=None,
    )
    last = project.step("last")
    last.run_after(flaky)
    run = Pipeline(project.workspace, last).submit("flaky")
    assert ends(run) == {"flaky": "Finished", "last": "Finished"}
    assert run.get_status() == "Finished"


def test_step_that_is_not_tried_again_stops_what_has_not_started(project: Project) -> None:
    from datetime import timedelta

    fails = project.step("fails", "import sys; sys.exit(7)", retries=3, retry_delay=timedelta(0))
    beside = project.step("beside", trigger_rule="all_done")
    beside.run_after(fails)
    run = Pipeline(project.workspace, [fails, beside]).submit("at_once")
    assert ends(run) == {"fails": "Failed", "beside": "Canceled"}
    assert run.get_status() == "Failed"


def test_canceled_run(project: Project) -> None:
    gate, after = project.step("gate", f"{RUN} run.parent.cancel()"), project.step("after")
    after.run_after(gate)
    run = Pipeline(project.workspace, after).submit("canceled")
    assert (run.get_status(), run.status) == ("Canceled", "Canceled")
    assert ends(run) == {"gate": "Finished", "after": "Canceled"}
    assert run.wait_for_completion(show_output=False) == "Canceled"


def test_parameters_are_checked_before_anything_runs(project: Project) -> None:
    step = project.step("a", "raise SystemExit(1)", arguments=[PipelineParameter("rate", 0.1)])
    pipeline = Pipeline(project.workspace, step)
    experiment = Experiment(project.workspace, "unstarted")
    with pytest.raises(PipelineParameterError, match="'rate' must be float .* got int 1"):
        experiment.submit(pipeline, pipeline_parameters={"rate": 1})
    with pytest.raises(PipelineParameterError, match="no parameter 'lr'; it has rate"):
        pipeline.submit("unstarted", pipeline_parameters={"lr": 1.0})
    with pytest.raises(PipelineParameterError, match="no parameter 'old'"):
        experiment.submit(pipeline, pipeline_params={"old": 1})
    assert list(experiment.get_runs()) == []


def test_pipeline_that_cannot_run_is_refused_before_anything_runs(project: Project) -> None:
    from mlsteps import Datastore

    data = PipelineData("data", datastore=Datastore(project.workspace, "nostore"))
    pipeline = Pipeline(project.workspace, project.step("a", outputs=[data]))
    with pytest.raises(UserErrorException, match=r"cannot run:\nStep 'a', output 'data': .*'nostore'"):
        pipeline.submit("refused")
    with pytest.raises(UserErrorException, match="runs a Pipeline, got str"):
        Experiment(project.workspace, "refused").submit("pipeline")  # type: ignore[arg-type]


def test_run_of_nothing_is_over(project: Project) -> None:
    run = Pipeline(project.workspace, []).submit("nothing")
    assert run.wait_for_completion() == "Finished"
    assert list(run.get_steps()) == []


def test_step_that_fails_before_it_starts_fails_the_run(project: Project) -> None:
    step = project.step("a", arguments=["{{ no_such_function() }}"])
    run = Experiment(project.workspace, "template error").submit(
        Pipeline(project.workspace, step), {"x": "y"}
    )
    assert run.get_status() == "Failed"
    assert run.get_tags() == {"x": "y"}
    with pytest.raises(ActivityFailedException):
        run.wait_for_completion()


def test_run_that_is_not_there_yet(project: Project) -> None:
    run = PipelineRun(Experiment(project.workspace, "later"), "manual__1")
    assert (run.get_status(), run.status) == ("NotStarted", "NotStarted")
    assert run.wait_for_completion(show_output=False, timeout_seconds=0) == "NotStarted"
    with pytest.raises(WorkspaceException, match="none of its steps has started"):
        _ = run.record


def test_run_can_be_canceled_from_outside(project: Project) -> None:
    from mlsteps.records import cancel_reason

    run = PipelineRun(Experiment(project.workspace, "outside"), "manual__1")
    run.cancel()
    assert (
        cancel_reason(project.workspace.record_store(), "outside", "manual__1") == "by PipelineRun.cancel()"
    )


@pytest.mark.parametrize("name", ["", " ", None, 3])
def test_experiment_needs_a_name(project: Project, name: Any) -> None:
    with pytest.raises(UserErrorException, match="An experiment needs a name"):
        Experiment(project.workspace, name)


def test_ids_of_steps_can_be_parts_of_paths(project: Project) -> None:
    run = Pipeline(project.workspace, project.step("Step with: a colon ")).submit("ids: 1/2")
    (step,) = run.get_steps()
    assert re.fullmatch(r"[A-Za-z0-9._=~-]+", step.id)

"""Parameters whose default is a template, and what templates of published steps may say."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import timezone

from mlsteps import (
    DataPath,
    DataPathComputeBinding,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineParameter,
)
from mlsteps.exceptions import PipelineParameterError
from mlsteps.runs import PipelineRun
from mlsteps.steps.run_facts import facts_of_run, parameters_of_run
from steps.project import Project

TELL = "import sys; from mlsteps import Run; Run.get_context().log('told', ' '.join(sys.argv[1:]))"

pytestmark = pytest.mark.usefixtures("airflow_db")


def telling(project: Project, *arguments: Any, **further: Any) -> Pipeline:
    return Pipeline(project.workspace, [project.step("tell", TELL, arguments=list(arguments), **further)])


def told(run: PipelineRun) -> tuple[str, object]:
    (step,) = run.get_steps()
    return step.get_status(), step.get_metrics().get("told")


@pytest.mark.smoke
def test_a_default_that_is_a_template_is_filled_in_for_each_run(project: Project) -> None:
    year, run_id = PipelineParameter("year", "{{ ds[:4] }}"), PipelineParameter("id", "{{ run_id }}")
    now = str(timezone.utcnow().year)
    by_year = telling(project, year, f"in-{year}", "{{ params.year }}")
    first = by_year.submit("by year")
    assert told(first) == ("Finished", f"{now} in-{now} {now}")
    assert first.record.parameters == {"year": now}
    again = by_year.submit("by year")
    assert [step.record.state for step in again.get_steps()] == ["reused"]
    last = by_year.submit("by year", {"year": "1999"})
    assert told(last) == ("Finished", "1999 in-1999 1999")
    by_run = telling(project, run_id)
    for _ in range(2):
        run = by_run.submit("by run")
        assert told(run) == ("Finished", run.id)


def test_what_somebody_gives_a_run_is_text_and_no_template(project: Project) -> None:
    run = telling(project, PipelineParameter("word", "none")).submit("text", {"word": "{{ 6 * 7 }}"})
    assert told(run) == ("Finished", "{{ 6 * 7 }}")


def test_paths_have_the_date_of_the_run(project: Project) -> None:
    store = project.workspace.get_default_datastore()
    year = str(timezone.utcnow().year)
    store.store.write(f"sales/{year}/a.txt", b"sold")
    read = PipelineParameter("read", DataPath(store, "sales/{{ ds[:4] }}/a.txt"))
    day = PipelineParameter("day", "{{ ds }}")
    made = OutputFileDatasetConfig("made", (store, f"made/{day}/x")).as_upload()
    copy = "import pathlib, sys; p = pathlib.Path(sys.argv[2]); p.mkdir(exist_ok=True, parents=True)"
    copy += "; (p / 'b.txt').write_text(open(sys.argv[1]).read())"
    data = (read, DataPathComputeBinding())
    step = project.step(
        "copy", copy, arguments=[data, made], inputs=[data], outputs=[made], pipeline_parameters=[day]
    )
    run = Pipeline(project.workspace, [step]).submit("copies")
    assert run.get_status() == "Finished"
    assert store.store.read(f"made/{run.record.parameters['day']}/x/b.txt") == b"sold"


def test_a_run_without_a_date_says_which_parameter_needs_one(project: Project) -> None:
    dag = telling(project, PipelineParameter("day", "{{ ds }}")).to_dag("dateless")
    context = {"params": dag.params.dump(), "run_id": "manual"}
    with pytest.raises(PipelineParameterError, match=r"'day' is '\{\{ ds \}\}'.*'ds' is undefined.*a date"):
        parameters_of_run(dag.get_task("tell"), context)
    assert parameters_of_run(dag.get_task("tell"), {**context, "ds": "2026-01-31"})["day"] == "2026-01-31"
    given = {"params": {**dag.params.dump(), "day": "2026-01-01"}}
    assert parameters_of_run(dag.get_task("tell"), given)["day"] == "2026-01-01"


def test_a_plan_says_that_such_a_step_cannot_be_decided_yet(project: Project, tmp_path: Path) -> None:
    from mlsteps.cli.plan import plan_file

    project.script("tell.py", TELL)
    file = project.source / "dag.py"
    file.write_text(
        "from mlsteps import Pipeline, PipelineParameter, PythonScriptStep, Workspace\n"
        "step = PythonScriptStep('tell.py', arguments=[PipelineParameter('day', '{{ ds }}')])\n"
        "dag = Pipeline(Workspace(), [step]).to_dag('daily')  # an Airflow DAG\n"
    )
    ((planned,),) = [plan.steps for plan in plan_file(file, [], None)]
    assert "its parameter 'day' is '{{ ds }}'" in planned.decision.in_words()
    ((planned,),) = [plan.steps for plan in plan_file(file, ["day=2026-01-31"], None)]
    assert planned.decision.action == "run"


class TestPublished:
    """Whoever publishes a pipeline need not be whom Airflow's connections and variables are for."""

    def test_dates_and_parameters_are_known(self, project: Project) -> None:
        day = PipelineParameter("day", "{{ ds }}")
        published = telling(project, day, "{{ params.day }}", "{{ run_id }}").publish("tell")
        run = published.submit(project.workspace, "exp")
        day_of_run = run.record.parameters["day"]
        assert told(run) == ("Finished", f"{day_of_run} {day_of_run} {run.id}")

    @pytest.mark.parametrize(
        "template",
        [
            "{{ conn.vault.password }}",
            "{{ var.value.word }}",
            "{{ ti.task_id }}",
            "{{ dag.dag_id }}",
            "{{ params.__class__ }}",
        ],
    )
    def test_connections_and_variables_are_not(
        self,
        project: Project,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        template: str,
    ) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_VAULT", "http://me:s3cret-word@vault")
        monkeypatch.setenv("AIRFLOW_VAR_WORD", "s3cret-word")
        with caplog.at_level(logging.DEBUG):
            for published in (
                telling(project, template).publish("tell"),
                telling(project, PipelineParameter("word", template)).publish("tell"),
            ):
                run = published.submit(project.workspace, "exp")
                assert run.get_status() == "Failed"
        assert "s3cret-word" not in caplog.text

    def test_a_pipeline_of_ones_own_may_say_them(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW_VAR_WORD", "mine")
        run = telling(project, "{{ var.value.word }}").submit("own")
        assert told(run) == ("Finished", "mine")


def test_facts_are_those_that_there_are() -> None:
    assert facts_of_run({"ds": "2026-01-31", "conn": object(), "var": object()}) == {"ds": "2026-01-31"}

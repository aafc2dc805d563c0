"""DAGs run in this process: loading files, running them, and the parts of Airflow that this leans on."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk import DAG, task

from mlsteps.dag_files import load_dags
from mlsteps.exceptions import MlstepsException, PipelineValidationError, UserErrorException
from mlsteps.local_airflow import ensure_database, run_dag
from steps.project import Project, states

PIPELINE = """
from mlsteps import Pipeline, PythonScriptStep, Workspace
step = PythonScriptStep("a.py")
{name} = Pipeline(Workspace(), [step])
"""


def write(project: Project, name: str, text: str) -> Path:
    project.script("a.py")
    file = project.source / name
    file.write_text(text)
    return file


# Loading


@pytest.mark.smoke
def test_dags_of_a_file_in_the_order_it_defines_them(project: Project) -> None:
    text = "from airflow.sdk import DAG\n" + "\n".join(f"d{n} = DAG('loaded_{n}')" for n in (2, 1, 3))
    file = write(project, "several.py", text)
    assert [dag.dag_id for dag in load_dags(file)] == ["loaded_2", "loaded_1", "loaded_3"]


def _forget(file: Path) -> None:
    """Let the next load import the file anew, as a new process would."""
    for name, module in list(sys.modules.items()):
        if os.path.abspath(getattr(module, "__file__", None) or "") == str(file):
            del sys.modules[name]


@pytest.mark.smoke
def test_pipeline_at_the_top_of_a_file_becomes_a_dag(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(project, "my pipeline.py", PIPELINE.format(name="anything"))
    monkeypatch.chdir(project.source)
    for spelling in (file, Path("my pipeline.py")):
        _forget(file)
        (dag,) = load_dags(spelling)
        assert dag.dag_id == "my_pipeline"
        assert dag.task_ids == ["a.py", "reuse"]


def test_several_pipelines_are_named_by_their_variables(project: Project) -> None:
    text = PIPELINE.format(name="train") + PIPELINE.format(name="score") + "alias = train\n"
    assert [dag.dag_id for dag in load_dags(write(project, "both.py", text))] == ["both_train", "both_score"]


def test_dags_of_a_file_count_before_its_pipelines(project: Project) -> None:
    text = PIPELINE.format(name="train") + "dag = train.to_dag('mine')\n"
    assert [dag.dag_id for dag in load_dags(write(project, "todag.py", text))] == ["mine"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x = 1", "defines no DAG and no Pipeline"),
        ("import no_such_module", "cannot be imported:\n.*no_such_module"),
        ("def broken(:", "cannot be imported:\n.*SyntaxError"),
        (
            "from mlsteps import *\nPipeline(Workspace(), [PythonScriptStep('no_script.py')])",
            "Step 'no_script.py', argument 'script_name': script not found",
        ),
        (
            "from airflow.sdk import DAG\nfrom mlsteps import *\n"
            "with DAG('nobody') as dag: PythonScriptStep('a.py', inputs=[PipelineData('data')])",
            "Step 'a.py', argument 'inputs': 'data' is made by no step",
        ),
        (
            "from airflow.sdk import DAG\nfrom mlsteps import *\n"
            "with DAG('cycle') as dag:\n"
            "    a, b = PythonScriptStep('a.py'), PythonScriptStep('a.py')\n"
            "    a >> b >> a",
            "cannot be imported:\n.*[Cc]ycle",
        ),
    ],
)
def test_file_that_cannot_be_used_says_why(project: Project, text: str, error: str) -> None:
    with pytest.raises(UserErrorException, match=f"(?s){error}"):
        load_dags(write(project, "bad.py", text))


def test_file_that_does_not_exist(project: Project) -> None:
    with pytest.raises(UserErrorException, match=r"gone\.py: there is no such file"):
        load_dags(project.source / "gone.py")
    with pytest.raises(UserErrorException, match="there is no such file"):
        load_dags(project.source)


# Running


@pytest.mark.smoke
def test_failing_task_does_not_raise(project: Project) -> None:
    with DAG("failing_task") as dag:

        @task
        def fail() -> None:
            raise ValueError("no")

        @task
        def after() -> None: ...

        @task(trigger_rule="all_done")
        def always() -> None: ...

        fail() >> after() >> always()
    run = run_dag(dag)
    assert run.failed
    assert [(end.task_id, end.state) for end in run.tasks] == [
        ("fail", "failed"),
        ("after", "upstream_failed"),
        ("always", "success"),
    ]


def test_ends_are_told_in_order_and_by_name(project: Project) -> None:
    with DAG("told_in_order") as dag:
        last, first = project.step("a last "), project.step("z first")
        last.run_after(first)

        @task
        def each(value: int) -> None: ...

        first >> each.expand(value=[1, 2])
    run = run_dag(dag, {"unknown": 1})
    assert (run.tasks[0].name, run.tasks[0].map_index) == ("z first", -1)
    assert states(run) == {
        "z_first": "success",
        "a_last": "success",
        "each[0]": "success",
        "each[1]": "success",
    }
    assert all(end.seconds is not None for end in run.tasks)
    assert run.dag_id == "told_in_order"
    assert run.run_id


def test_second_run_is_another_run(project: Project) -> None:
    with DAG("twice") as dag:
        project.step("a")
    one, two = run_dag(dag), run_dag(dag)
    assert one.run_id != two.run_id
    assert (project.record(one, "a").state, project.record(two, "a").state) == ("ran", "reused")


def test_changed_dag_of_the_same_id_runs_as_it_is_now(project: Project) -> None:
    with DAG("changed") as dag:
        project.step("a")
    run_dag(dag)
    with DAG("changed") as dag:
        project.step("b")
    assert states(run_dag(dag)) == {"b": "success"}


def test_incomplete_dag_is_refused_before_it_runs(project: Project) -> None:
    from mlsteps import PipelineData

    with DAG("incomplete") as dag:
        project.step("a", inputs=[PipelineData("data")])
    with pytest.raises(PipelineValidationError, match="Step 'a', argument 'inputs'"):
        run_dag(dag)


def test_environment_is_as_it_was(project: Project) -> None:
    with DAG("environment_kept") as dag:
        project.step("a")

    def settings() -> dict[str, str]:  # what dag.test() says of the task that ran last is no setting
        return {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_CTX_")}

    before = settings()
    run_dag(dag)
    load_dags(write(project, "ok.py", "from airflow.sdk import DAG\ndag = DAG('ok')"))
    assert settings() == before


# What it leans on


def test_parts_of_airflow_that_are_not_public_are_still_there(airflow_db: Path) -> None:
    """Each line is one assumption of local_airflow.py; a failure here names what a new Airflow changed."""
    from airflow import settings
    from airflow.configuration import conf
    from airflow.dag_processing.bundles.local import LocalDagBundle
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils import db
    from airflow.utils.session import create_session
    from sqlalchemy import inspect as inspect_database

    from mlsteps import compat

    assert settings.engine is not None and settings.engine.dialect.name == "sqlite"
    assert callable(db.initdb)
    assert DagBundleModel.__tablename__ == "dag_bundle"
    assert inspect_database(settings.engine).has_table("dag_bundle")
    assert "path" in inspect.signature(LocalDagBundle.__init__).parameters
    assert conf.has_option("dag_processor", "dag_bundle_config_list")
    assert conf.has_option("core", "dag_discovery_safe_mode")
    assert "run_conf" in inspect.signature(DAG.test).parameters
    assert callable(create_session)
    bag = compat.empty_dag_bag("/nonexistent-folder")
    assert bag.dags == {} and bag.import_errors == {}
    for hook in ("resolve_template_files", "render_template_fields", "on_kill", "partial"):
        from airflow.sdk import BaseOperator

        assert hasattr(BaseOperator, hook)
    assert "resolve_template_files" in inspect.getsource(type(bag).bag_dag)


def test_database_of_a_server_is_not_made(monkeypatch: pytest.MonkeyPatch, airflow_db: Path) -> None:
    import sqlalchemy
    from airflow import settings

    class Dialect:
        name = "postgresql"

    class Engine:
        dialect = Dialect()

    class Nothing:
        def has_table(self, name: str) -> bool:
            return False

    monkeypatch.setattr(settings, "engine", Engine())
    monkeypatch.setattr(sqlalchemy, "inspect", lambda engine: Nothing())
    with pytest.raises(MlstepsException, match="run 'airflow db migrate' first"):
        ensure_database()


@pytest.mark.slow
def test_fresh_home_is_made_and_stays_quiet(tmp_path: Path) -> None:
    code = (
        "from mlsteps.local_airflow import quieten, run_dag; quieten()\n"
        "from airflow.sdk import DAG, task\n"
        "with DAG('fresh') as dag:\n"
        "    @task\n"
        "    def hello(): pass\n"
        "    hello()\n"
        "print([end.state for end in run_dag(dag).tasks])\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment["AIRFLOW_HOME"] = str(tmp_path)
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "['success']"
    assert (tmp_path / "airflow.db").exists()

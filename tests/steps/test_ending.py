"""How steps end other than well: scripts that fail, tries, missing outputs, and what scripts say of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, task

from mlsteps import OutputFileDatasetConfig, PipelineData, PythonScriptStep, RunConfiguration
from steps.project import Project, states

WRITE = "import sys; open(sys.argv[1], 'w').write('made')"


@pytest.mark.smoke
def test_failing_script_tells_its_exit_code_and_last_lines(project: Project) -> None:
    model = PipelineData("model")
    with DAG("script_fails") as dag:
        project.step(
            "fail",
            """
            import sys
            open(sys.argv[1], "w").write("half")
            for n in range(100): print("line", n, file=sys.stderr)
            print("printed")
            sys.exit(3)
            """,
            outputs=[model],
            arguments=[model],
        )
        project.step("after", inputs=[model])
    run = project.run(dag)
    assert run.failed
    assert states(run) == {"fail": "failed", "after": "upstream_failed"}
    record = project.record(run, "fail")
    assert record.state == "failed"
    assert (record.exit_code, record.signal, record.outputs) == (3, None, {})
    assert record.error is not None
    assert "Step 'fail': The script ended with exit code 3." in record.error
    assert record.error.splitlines()[-1].strip() == "line 99"
    assert "line 80" not in record.error
    assert project.workspace.record_store().read(f"{record.try_folder}/stdout.log") == b"printed\n"


def test_scripts_that_cannot_run_or_die(project: Project) -> None:
    limited = RunConfiguration()
    limited.max_run_duration_seconds = 1
    with DAG("cannot_run") as dag:
        project.step("segfault", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
        project.step("syntax", "def broken(:")
        project.step(
            "limited", "import time; print('started', flush=True); time.sleep(60)", runconfig=limited
        )
    run = project.run(dag)
    assert set(states(run).values()) == {"failed"}
    segfault, syntax, stopped = (project.record(run, name) for name in ("segfault", "syntax", "limited"))
    assert (segfault.exit_code, segfault.signal) == (None, "SIGSEGV")
    assert "ended by SIGSEGV" in str(segfault.error)
    assert syntax.exit_code == 1
    assert "SyntaxError" in str(syntax.error)
    assert "stopped at its time limit, after 1 s" in str(stopped.error)
    assert stopped.seconds is not None
    assert stopped.seconds < 10


def test_outputs_that_are_not_what_was_declared(project: Project) -> None:
    made, missing = PipelineData("made"), PipelineData("missing")
    folder, file = PipelineData("folder", is_directory=True), PipelineData("file", is_directory=False)
    removed = OutputFileDatasetConfig("removed")
    with DAG("wrong_outputs") as dag:
        project.step("forgets", WRITE, outputs=[made, missing], arguments=[made])
        project.step("file_not_folder", WRITE, outputs=[folder], arguments=[folder])
        project.step(
            "folder_not_file", "import os, sys; os.mkdir(sys.argv[1])", outputs=[file], arguments=[file]
        )
        project.step("removes", "import os, sys; os.rmdir(sys.argv[1])", arguments=[removed])
    run = project.run(dag)
    assert set(states(run).values()) == {"failed"}
    expected = {
        "forgets": "did not write its output 'missing'",
        "file_not_folder": "output 'folder': the script made a file, but is_directory=True was declared",
        "folder_not_file": "output 'file': the script made a directory, but is_directory=False was declared",
        "removes": "did not write its output 'removed'",
    }
    for task_id, error in expected.items():
        record = project.record(run, task_id)
        assert error in str(record.error)
        assert f"Step '{task_id}'" in str(record.error)
        assert record.outputs == {}


def test_second_try_leaves_its_own_outputs_and_record(project: Project) -> None:
    model, table = PipelineData("model"), OutputFileDatasetConfig("table")
    seen: dict[str, Any] = {}
    with DAG("second_try") as dag:
        step = project.step(
            "flaky",
            """
            import os, sys
            from mlsteps.run import Run
            attempt = os.environ["MLSTEPS_TRY_NUMBER"]
            Run.get_context().log("attempt", int(attempt))
            os.makedirs(sys.argv[1])
            open(f"{sys.argv[1]}/{attempt}.txt", "w").write(attempt)
            open(f"{sys.argv[2]}/{attempt}.txt", "w").write(attempt)
            open(f"outputs/{attempt}.txt", "w").write(attempt)
            sys.exit(attempt == "1")
            """,
            outputs=[model, table],
            arguments=[model, table],
            retries=1,
            retry_delay=timedelta(0),
            retry_policy=None,
        )

        @task
        def look(model: Any, table: Any) -> None:
            seen.update(model=model.files(), table=table.files())

        look(step.outputs["model"], step.outputs["table"])
    run = project.run(dag)
    assert not run.failed, states(run)
    assert seen == {"model": ["2.txt"], "table": ["2.txt"]}
    record = project.record(run, "flaky")
    assert (record.state, record.try_number, record.max_tries, record.error) == ("ran", 2, 2, None)
    assert record.metrics == {"attempt": 2}
    assert record.files == ("outputs/2.txt",)
    store = project.workspace.record_store()
    assert store.stat(f"{record.folder}/try-1/files/outputs/1.txt") is not None


@pytest.mark.smoke
def test_what_would_end_alike_is_not_tried_again_and_other_trouble_is(project: Project) -> None:
    count = "import os, signal, sys; first = os.environ['MLSTEPS_TRY_NUMBER'] == '1';"
    patient: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(0)}
    with DAG("tries") as dag:
        project.step("wrong", f"{count} sys.exit(3)", **patient)
        project.step("own_signal", f"{count} os.kill(os.getpid(), 9)", **patient)
        project.step("forgets", count, outputs=[PipelineData("x")], **patient)
        project.step("killed", f"{count} first and os.kill(os.getppid(), 9)", **patient)
        project.step("insists", f"{count} sys.exit(first)", retry_policy=None, **patient)
    run = project.run(dag)
    ended = states(run)
    assert {name for name, state in ended.items() if state == "failed"} == {"wrong", "own_signal", "forgets"}
    tries = {name: project.record(run, name).try_number for name in ("wrong", "own_signal", "forgets")}
    assert tries == {"wrong": 1, "own_signal": 1, "forgets": 1}
    assert project.record(run, "killed").try_number == 2
    assert project.record(run, "insists").try_number == 2


def test_mapped_steps_and_default_args_have_their_policy(project: Project) -> None:
    with DAG("policies", default_args={"retry_policy": None}):
        assert project.step("plain", "pass").retry_policy is None
    with DAG("mapped") as dag:
        script = project.script("each.py", "import sys; sys.exit(1)")
        settings: dict[str, Any] = {
            "source_directory": project.source,
            "retries": 1,
            "retry_delay": timedelta(0),
        }
        PythonScriptStep.partial(script, name="each", **settings).expand(arguments=[["1"]])
    run = project.run(dag)
    assert project.record(run, "each", 0).try_number == 1


def test_what_scripts_say_of_their_run(project: Project) -> None:
    say = "from mlsteps.run import Run; run = Run.get_context();"
    model = PipelineData("model")
    with DAG("said") as dag:
        project.step("completes", f"{say} run.complete()")
        project.step("fails", f"{say} run.fail('no data today')")
        project.step(
            "cancels", f"{say} run.cancel(); open({{path}}, 'w')".format(path="'x'"), outputs=[model]
        )
        project.step("after_cancel", inputs=[model])
        project.step("always", trigger_rule="all_done", inputs=[model])
        project.step("completes_then_breaks", f"{say} run.complete(); raise SystemExit(4)")
    run = project.run(dag)
    assert states(run) == {
        "completes": "success",
        "fails": "failed",
        "cancels": "failed",
        "after_cancel": "upstream_failed",
        "always": "failed",
        "completes_then_breaks": "failed",
    }
    assert "The script called run.fail(): no data today" in str(project.record(run, "fails").error)
    assert project.record(run, "completes_then_breaks").exit_code == 4


def test_step_that_cancels_itself_is_skipped_with_what_follows(project: Project) -> None:
    say = "from mlsteps.run import Run; run = Run.get_context();"
    with DAG("cancels_itself") as dag:
        first = project.step("cancels", f"{say} run.log('seen', 1); run.cancel()")
        second, other = project.step("after"), project.step("other")
        second.run_after(first)
    run = project.run(dag)
    assert states(run) == {"cancels": "skipped", "after": "skipped", "other": "success"}
    record = project.record(run, "cancels")
    assert (record.state, record.metrics) == ("canceled", {"seen": 1})
    assert not run.failed
    assert other.task_id == "other"


@pytest.mark.smoke
def test_canceling_the_parent_stops_what_has_not_started(project: Project) -> None:
    from mlsteps.records import cancel_reason, read_steps, run_state

    say = "from mlsteps.run import Run; run = Run.get_context();"
    model = PipelineData("model")
    with DAG("cancels_parent") as dag:
        project.step("after", inputs=[model])
        project.step(
            "gate",
            f"import sys; {say} open(sys.argv[1], 'w'); run.parent.cancel()",
            outputs=[model],
            arguments=[model],
        )
        project.step("unrelated").run_after(dag.get_task("gate"))
        project.step("always", trigger_rule="all_done").run_after(dag.get_task("after"))
    run = project.run(dag)
    assert states(run) == {"gate": "success", "after": "skipped", "unrelated": "skipped", "always": "skipped"}
    store = project.workspace.record_store()
    assert cancel_reason(store, run.dag_id, run.run_id) == "by step 'gate'"
    assert project.record(run, "after").reason == "The run was canceled: by step 'gate'"
    record = project.run_record(run)
    assert run_state(record, read_steps(store, record), True) == "canceled"
    assert project.record(run, "gate").outputs


def test_input_that_is_not_there_names_step_and_input(
    project: Project, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from mlsteps import DataReference, Datastore

    reference = DataReference(Datastore(project.workspace, "workspacefilestore"), "raw", "no/such")
    unknown = DataReference(Datastore(project.workspace, "nostore"), "raw", "x")
    skipped = PipelineData("skipped")
    with DAG("input_missing") as dag:
        project.step("reads", inputs=[reference])
        project.step("unknown_store", inputs=[unknown])
        project.step("orphan", inputs=[PipelineData("orphan")])
        project.step(
            "skipped",
            "from mlsteps.run import Run; Run.get_context().cancel(); open('{}', 'w')",
            outputs=[skipped],
        )
        project.step("late", inputs=[skipped], trigger_rule="all_done")
    caplog.set_level("ERROR")
    run = _run_unchecked(project, dag)
    assert "Step 'reads', input 'raw': there is nothing at" in str(project.record(run, "reads").error)
    assert "has no datastore 'nostore'" in str(project.record(run, "unknown_store").error)
    assert "Step 'orphan', argument 'inputs': 'orphan' is made by no step" in str(
        project.record(run, "orphan").error
    )
    assert states(run)["late"] == "failed"
    told = "".join(capsys.readouterr()) + caplog.text
    assert "Step 'late' has no data to start with" in told


def test_unknown_compute_target_of_a_connection_stops_the_step_before_its_script(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLSTEPS_WORKSPACE")
    monkeypatch.setenv(
        "AIRFLOW_CONN_TARGETS", f'{{"conn_type": "mlsteps", "extra": {{"folder": "{project.folder}"}}}}'
    )
    from mlsteps import Workspace

    with DAG("unknown_target_late") as dag:
        project.step("a", compute_target="gpu", workspace=Workspace(conn_id="targets"))
    run = project.run(dag)
    record = project.record(run, "a")
    assert "Step 'a', argument 'compute_target': 'gpu' is not a compute target of Airflow connection" in str(
        record.error
    )
    assert record.command == ()


def _run_unchecked(project: Project, dag: DAG) -> Any:
    """Run a DAG that is refused when it is complete, as if nobody had looked."""
    for step in dag.tasks:
        step.resolve_template_files = lambda: None  # type: ignore[method-assign]
    return project.run(dag)

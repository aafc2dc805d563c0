"""Reuse where something is in its way: other runs, failing stores, data that changes, skipped tasks."""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, task

from mlsteps import Pipeline, PipelineData, PythonScriptStep, ReuseSensor
from mlsteps.data import DataReference
from mlsteps.data.stores import FolderStore
from mlsteps.reuse.claim import Claim, Claims
from mlsteps.steps import handed_on as handing
from steps.project import Project, states

WRITE = "import sys; from pathlib import Path; Path(sys.argv[1]).write_text('x')"


def one_step(project: Project, name: str = "step", script: str = WRITE, **options: Any) -> DAG:
    data = PipelineData("data")
    step = project.step(name, script, arguments=[data], outputs=[data], **options)
    return Pipeline(project.workspace, [step]).to_dag("one_step")


def entries(project: Project) -> list[Path]:
    return sorted(
        (project.workspace.config.datastores["workspaceblobstore"].folder / "mlsteps/reuse").rglob("*.json")
    )


def test_a_mapped_step_is_reused_element_by_element(project: Project) -> None:
    count = project.root / "count"
    project.script("s.py", "import sys; open(sys.argv[1], 'a').write(sys.argv[2])")

    def run(*elements: str) -> dict[str, str | None]:
        with DAG("mapped", schedule=None) as dag:
            reuse = ReuseSensor(task_id="reuse")
            mapped = PythonScriptStep.partial(
                script_name="s.py", name="each", source_directory=project.source
            ).expand(arguments=[[str(count), element] for element in elements])
            reuse >> mapped
        return states(project.run(dag))

    assert run("a", "b") == {"each[0]": "success", "each[1]": "success"}
    assert run("b", "c") == {"each[0]": "skipped", "each[1]": "success"}
    assert sorted(count.read_text()) == ["a", "b", "c"]  # mapped tasks start in any order


def test_a_result_of_inputs_that_changed_meanwhile_is_not_kept(project: Project) -> None:
    folder = project.workspace.config.datastores["workspaceblobstore"].folder
    (folder / "given").mkdir(parents=True)
    (folder / "given" / "a.txt").write_text("before")
    project.script("s.py", f"{WRITE}; Path(sys.argv[2], 'a.txt').write_text('after')")

    def run() -> Any:
        data = PipelineData("data")
        given = DataReference(project.workspace.get_default_datastore(), "given", "given")
        step = PythonScriptStep(
            "s.py",
            name="step",
            source_directory=project.source,
            arguments=[data, given],
            inputs=[given],
            outputs=[data],
        )
        return project.run(Pipeline(project.workspace, [step]).to_dag("changing"))

    assert states(run()) == {"step": "success"}
    assert entries(project) == []
    assert states(run()) == {"step": "success"}  # which writes what stands there already
    assert len(entries(project)) == 1
    assert states(run()) == {"step": "skipped"}


def test_data_of_a_step_that_somebody_altered_is_no_old_data(project: Project) -> None:
    """What a reader makes of altered data must not stand for what it would make of the recorded data."""
    project.script("make.py", WRITE)
    copy = "import sys; from pathlib import Path; Path(sys.argv[1]).write_text(Path(sys.argv[2]).read_text())"
    project.script("copy.py", copy)

    def dag(name: str) -> DAG:
        made, copied = PipelineData("made"), PipelineData("copied")
        PythonScriptStep(
            "make.py", name="make", source_directory=project.source, arguments=[made], outputs=[made]
        )
        reader = PythonScriptStep(
            "copy.py",
            name="copy",
            source_directory=project.source,
            arguments=[copied, made],
            inputs=[made],
            outputs=[copied],
        )
        return Pipeline(project.workspace, [reader]).to_dag(name)

    harmed = dag("harmed")

    @task(dag=harmed)
    def harm() -> None:
        for place in project.folder.rglob("made"):
            place.write_text("altered")

    harmed.get_task("make") >> harm() >> harmed.get_task("copy")
    altered, clean = project.run(harmed), project.run(dag("clean"))
    assert project.output(project.record(altered, "copy"), "copied").read_text() == "altered"
    assert project.output(project.record(clean, "copy"), "copied").read_text() == "x"


def test_a_run_waits_for_whoever_computes_the_same_and_takes_it_over(project: Project) -> None:
    dag = one_step(project)
    fingerprint = plan(dag)[0].fingerprint
    assert fingerprint is not None
    claim = Claims(project.workspace.record_store()).try_acquire(fingerprint, {"run_id": "the other"})
    assert isinstance(claim, Claim)
    began = time.monotonic()
    threading.Timer(3.0, claim.release).start()
    run = project.run(dag)
    assert time.monotonic() - began > 2.5
    assert states(run) == {"step": "success"}
    waiting = list(project.folder.rglob("waiting-*"))
    assert waiting == []


def test_a_sensor_is_tried_again_unless_somebody_says_otherwise(project: Project) -> None:
    def retries_of(**arguments: Any) -> int:
        dag = Pipeline(project.workspace, [project.step("a")]).to_dag("tried", **arguments)
        return int(dag.get_task("reuse").retries)

    assert retries_of() == 2
    assert retries_of(default_args={"retries": 0}) == 0
    with DAG("own", default_args={"retries": 5}):
        assert ReuseSensor(task_id="one").retries == 5
        assert ReuseSensor(task_id="two", retries=0).retries == 0


def test_a_name_that_there_is_not_fails_the_sensor_at_once(project: Project) -> None:
    run = project.run(
        Pipeline(project.workspace, [project.step("a")]).to_dag("wrong"), regenerate_outputs=["b"]
    )
    assert states(run)["reuse"] == "failed"


def test_a_step_that_waits_gives_up_in_time_and_says_so(project: Project) -> None:
    with DAG("impatient", schedule=None) as dag:
        data = PipelineData("data")
        project.step("step", WRITE, arguments=[data], outputs=[data], reuse_timeout=1)
    fingerprint = plan(dag)[0].fingerprint
    assert fingerprint is not None
    with Claims(project.workspace.record_store()).try_acquire(fingerprint, {"run_id": "the other"}):
        run = project.run(dag)
    assert states(run) == {"step": "success"}
    assert "waited" in project.record(run, "step").reason


@pytest.mark.parametrize("harm", ["{", "[]", '{"version": 99}', "", "\0\xff"])
def test_a_corrupted_result_is_a_miss_with_a_warning(
    project: Project, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    project.run(one_step(project))
    (entry,) = entries(project)
    entry.write_text(harm)
    with caplog.at_level(logging.WARNING):
        run = project.run(one_step(project))
    assert states(run) == {"step": "success"}
    assert entry.name in caplog.text
    assert states(project.run(one_step(project))) == {"step": "skipped"}


@pytest.mark.parametrize(
    ("place", "harm"),
    [
        ("created", "some day"),
        ("models", ["nameless"]),
        ("outputs data reference", {}),
        ("outputs data reference path", 5),
        ("outputs data reference producer", []),
    ],
)
def test_a_result_that_is_well_formed_nonsense_is_a_miss_with_a_warning(
    project: Project, place: str, harm: object, caplog: pytest.LogCaptureFixture
) -> None:
    project.run(one_step(project))
    (entry,) = entries(project)
    value = part = json.loads(entry.read_text())
    *above, last = place.split()
    for name in above:
        part = part[name]
    part[last] = harm
    entry.write_text(json.dumps(value))
    with caplog.at_level(logging.WARNING):
        run = project.run(one_step(project, reuse_max_age=3600))
    assert states(run) == {"step": "success"}
    assert entry.stem in caplog.text
    assert states(project.run(one_step(project))) == {"step": "skipped"}


def test_a_store_that_fails_makes_steps_run_and_no_run_fail(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.run(one_step(project))
    read, create = FolderStore.read, FolderStore.create

    def failing(wrapped: Any) -> Any:
        def method(self: FolderStore, path: str, *rest: Any) -> Any:
            if path.startswith(("mlsteps/reuse", "mlsteps/claims", "mlsteps/listings")):
                raise OSError("the store does not answer")
            return wrapped(self, path, *rest)

        return method

    monkeypatch.setattr(FolderStore, "read", failing(read))
    monkeypatch.setattr(FolderStore, "create", failing(create))
    run = project.run(one_step(project))
    assert states(run) == {"step": "success"}
    assert "does not answer" in project.record(run, "step").reason


def test_many_reused_steps_leave_out_xcoms_and_whoever_runs_finds_the_data(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing, "MOST_XCOMS", 1)
    got = project.root / "got"

    def dag(text: str) -> DAG:
        with DAG("many", schedule=None) as made:
            reuse = ReuseSensor(task_id="reuse")
            data, other = PipelineData("data"), PipelineData("other")
            step = project.step("step", WRITE, arguments=[data], outputs=[data])
            reader = project.step(
                "reader",
                f"import sys; open(sys.argv[1], 'w').write('{text}' + open(sys.argv[2]).read())",
                arguments=[other, data],
                inputs=[data],
                outputs=[other],
                source_files=["reader.py"],
            )
            step.source_files.append("step.py")
            reuse >> step

            @task(trigger_rule="none_failed")
            def read(reference: Any, ti: Any = None) -> None:
                got.write_text(json.dumps([reference.path, ti.xcom_pull(task_ids="step", key="reuse")]))

            read(step.outputs["data"])
            assert reader.upstream_task_ids == {"step"}
        return made

    first = project.run(dag("a"))
    second = project.run(dag("b"))
    assert states(second) == {"step": "skipped", "reader": "success", "read": "success"}
    assert project.output(project.record(second, "reader"), "other").read_text() == "bx"
    path, reason = json.loads(got.read_text())
    assert path == str(project.output(project.record(first, "step"), "data"))
    assert reason is None


def test_mapped_tasks_behind_a_reused_step_are_given_its_data(project: Project) -> None:
    def dag() -> DAG:
        with DAG("mapped_behind", schedule=None) as made:
            data = PipelineData("data")
            reuse = ReuseSensor(task_id="reuse")
            step = project.step("step", WRITE, arguments=[data], outputs=[data])
            reuse >> step

            @task(trigger_rule="none_failed")
            def each(number: int, reference: Any) -> str:
                return f"{number}{reference.open().read()}"

            each.partial(reference=step.outputs["data"]).expand(number=[1, 2])
        return made

    project.run(dag())
    assert states(project.run(dag())) == {"step": "skipped", "each[0]": "success", "each[1]": "success"}


def test_a_step_behind_a_task_that_was_skipped_is_skipped_as_ever(project: Project) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    with DAG("skipping", schedule=None) as dag:

        @task
        def skipped() -> None:
            raise AirflowSkipException("not today")

        before = skipped()
        step, always = project.step("step"), project.step("always", trigger_rule="all_done")
        before >> step >> project.step("later")
        before >> always
    run = project.run(dag)
    assert states(run) == {"skipped": "skipped", "step": "skipped", "later": "skipped", "always": "success"}
    record = project.record(run, "step")
    assert (record.state, record.reason) == ("skipped", "Task 'skipped' before it was skipped.")


def test_a_task_in_front_of_a_step_may_change_what_it_reads(project: Project) -> None:
    """So nothing is decided about that step before the task has run."""
    folder = project.workspace.config.datastores["workspaceblobstore"].folder
    (folder / "given").mkdir(parents=True)

    def dag(text: str) -> DAG:
        with DAG("fetching", schedule=None) as made:
            reuse = ReuseSensor(task_id="reuse")

            @task
            def fetch() -> None:
                (folder / "given" / "a.txt").write_text(text)

            given = DataReference(project.workspace.get_default_datastore(), "given", "given")
            step = project.step("step", "pass", arguments=[given], inputs=[given])
            reuse >> step
            fetch() >> step
        return made

    assert states(project.run(dag("1"))) == {"fetch": "success", "step": "success"}
    assert states(project.run(dag("1"))) == {"fetch": "success", "step": "skipped"}
    assert states(project.run(dag("2"))) == {"fetch": "success", "step": "success"}


def test_checkouts_at_different_paths_have_one_result(project: Project, tmp_path: Path) -> None:
    def run(folder: Path) -> dict[str, str | None]:
        folder.mkdir()
        (folder / "s.py").write_text(WRITE)
        data = PipelineData("data")
        step = PythonScriptStep(
            "s.py", name="step", source_directory=folder, arguments=[data], outputs=[data]
        )
        return states(project.run(Pipeline(project.workspace, [step]).to_dag(folder.name)))

    assert run(tmp_path / "one") == {"step": "success"}
    assert run(tmp_path / "two") == {"step": "skipped"}


def test_missing_declared_outputs_are_an_error_that_names_them(project: Project) -> None:
    run = project.run(one_step(project, script="pass"))
    assert states(run) == {"step": "failed"}
    assert "'data'" in (project.record(run, "step").error or "")
    assert entries(project) == []


def plan(dag: DAG) -> Any:
    from mlsteps.steps.planning import Planner
    from mlsteps.steps.regenerate import Regenerate
    from mlsteps.steps.rendering import render_with

    return Planner(dag, {}, Regenerate(), render_with({}, {}), passed=["reuse"]).plan()

"""A pipeline that is run again: what is skipped, what runs, and what everybody behind it is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, task

from mlsteps import (
    DataPath,
    DataPathComputeBinding,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PythonScriptStep,
    ReuseSensor,
)
from mlsteps.data import DataReference
from mlsteps.exceptions import PipelineParameterError
from mlsteps.sensors.data_paths import check_data_paths
from steps.project import Project, states

# Counts its runs beside the workspace, and writes what it is told to.
WORK = """
    import os, sys
    from pathlib import Path
    count = Path(sys.argv[1]); out = Path(sys.argv[2]); text = sys.argv[3]
    with count.open("a") as stream: stream.write(".")
    read = "".join(Path(p).read_text() for p in sys.argv[4:])
    out.write_text(text + read)
"""


class Chain:
    """Three steps, each reading the one before; every script in a folder of its own."""

    def __init__(self, project: Project, **options: Any) -> None:
        self.project = project
        self.texts = {"one": "1", "two": "2", "three": "3"}
        self.options = options
        self.changes: dict[str, dict[str, Any]] = {}
        for name in self.texts:
            self.write(name, WORK)

    def write(self, name: str, text: str) -> None:
        import textwrap

        folder = self.project.root / "scripts" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "work.py").write_text(textwrap.dedent(text))

    def pipeline(self) -> Pipeline:
        before: PipelineData | None = None
        step = None
        for name, text in self.texts.items():
            data = PipelineData(f"data_{name}")
            read = [before] if before is not None else []
            step = PythonScriptStep(
                "work.py",
                name=name,
                arguments=[str(self.count_file(name)), data, text, *read],
                inputs=read,
                outputs=[data],
                source_directory=self.project.root / "scripts" / name,
                **self.changes.get(name, {}),
            )
            before = data
        return Pipeline(self.project.workspace, steps=[step], **self.options)

    def run(self, **conf: Any) -> Any:
        finished = self.project.run(self.pipeline().to_dag("chain"), **conf)
        assert not finished.failed, finished
        return finished

    def count_file(self, name: str) -> Path:
        return self.project.root / f"count-{name}"

    def counts(self) -> list[int]:
        return [len(self.count_file(n).read_text()) if self.count_file(n).exists() else 0 for n in self.texts]


@pytest.fixture
def chain(project: Project) -> Chain:
    return Chain(project)


@pytest.mark.smoke
def test_an_unchanged_pipeline_is_skipped_as_a_whole(chain: Chain) -> None:
    first = chain.run()
    assert states(first) == {"one": "success", "two": "success", "three": "success"}
    second = chain.run()
    assert states(second) == {"one": "skipped", "two": "skipped", "three": "skipped"}
    assert chain.counts() == [1, 1, 1]
    record = chain.project.record(second, "three")
    assert record.state == "reused"
    assert record.reused_from["run_id"] == first.run_id
    assert record.reason.startswith(f"reused from run {first.run_id}")
    assert chain.project.output(record, "data_three").read_text() == "321"


def test_a_change_runs_what_is_behind_it_and_a_revert_nothing(chain: Chain) -> None:
    chain.run()
    chain.texts["two"] = "zwei"
    changed = chain.run()
    assert states(changed) == {"one": "skipped", "two": "success", "three": "success"}
    assert chain.project.output(chain.project.record(changed, "three"), "data_three").read_text() == "3zwei1"
    assert "2 -> zwei" in chain.project.record(changed, "two").reason
    chain.texts["two"] = "2"
    assert set(states(chain.run()).values()) == {"skipped"}
    assert chain.counts() == [1, 2, 2]


@pytest.mark.smoke
def test_a_change_without_effect_stops_the_wave(chain: Chain) -> None:
    chain.run()
    chain.write("two", WORK + "\n    # a comment\n")
    changed = chain.run()
    assert states(changed) == {"one": "skipped", "two": "success", "three": "skipped"}
    assert chain.counts() == [1, 2, 1]
    assert "work.py changed" in chain.project.record(changed, "two").reason
    assert chain.project.record(changed, "three").state == "reused"


@pytest.mark.smoke
def test_success_on_reuse_leaves_every_task_green(project: Project) -> None:
    chain = Chain(project, on_reuse="success")
    chain.run()
    second = chain.run()
    assert states(second) == {"one": "success", "two": "success", "three": "success"}
    assert chain.counts() == [1, 1, 1]
    assert {r.state for r in (project.record(second, n) for n in chain.texts)} == {"reused"}
    assert "reuse" not in chain.pipeline().to_dag("other").task_ids


def test_a_step_without_reuse_runs_every_time_and_stops_the_wave_itself(chain: Chain) -> None:
    chain.changes["one"] = {"allow_reuse": False}
    chain.run()
    second = chain.run()
    assert states(second) == {"one": "success", "two": "skipped", "three": "skipped"}
    assert chain.counts() == [2, 1, 1]
    assert "allow_reuse=False" in chain.project.record(second, "one").reason


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("off", [1, 1, 1]),
        ([], [1, 1, 1]),
        ("all", [2, 2, 2]),
        (True, [2, 2, 2]),
        (["two"], [1, 2, 1]),
        ("two,three", [1, 2, 2]),
    ],
)
def test_regenerate_outputs_forces_steps_and_nothing_behind_them(
    chain: Chain, value: Any, expected: list[int]
) -> None:
    chain.run()
    chain.run(regenerate_outputs=value)
    assert chain.counts() == expected
    assert set(states(chain.run()).values()) == {"skipped"}


def test_an_unknown_step_to_regenerate_is_refused(chain: Chain) -> None:
    finished = chain.project.run(chain.pipeline().to_dag("chain"), regenerate_outputs=["thre"])
    assert finished.failed
    assert chain.counts() == [0, 0, 0]
    with pytest.raises(PipelineParameterError, match="no step 'thre'; there is one, three, two"):
        from mlsteps.steps.regenerate import Regenerate

        Regenerate.parse(["thre"]).check(["one", "two", "three"])


def test_a_data_path_on_no_datastore_is_refused_before_any_step_starts(project: Project) -> None:
    store = project.workspace.get_default_datastore()
    store.store.write("raw/a.csv", b"1")
    chosen = (PipelineParameter("chosen", DataPath(store, "raw/a.csv")), DataPathComputeBinding())
    beside, reads = project.step("beside"), project.step("reads", inputs=[chosen])
    dag = Pipeline(project.workspace, [beside, reads]).to_dag("paths")
    refused = project.run(dag, chosen="nowhere/raw/a.csv")
    assert states(refused) == {"reuse": "failed", **dict.fromkeys(("beside", "reads"), "upstream_failed")}
    with pytest.raises(PipelineParameterError, match="'chosen' is 'nowhere/raw/a.csv': .*no datastore 'now"):
        check_data_paths([beside, reads], {"chosen": "nowhere/raw/a.csv"})
    for value in ("/raw/a.csv", "workspaceblobstore/raw/a.csv"):
        assert not project.run(dag, chosen=value).failed


def test_numbers_and_empty_texts_as_the_form_sends_them_are_no_change(project: Project) -> None:
    parameters = [PipelineParameter(n, v) for n, v in (("rate", 1.0), ("rounds", 2), ("note", ""))]
    step = project.step("told", arguments=parameters)
    dag = Pipeline(project.workspace, [step]).to_dag("numbers")
    project.run(dag)
    again = project.run(dag, rate=1, rounds=2.0, note=None)
    assert states(again)["told"] == "skipped"
    assert dict(project.run_record(again).parameters) == {"rate": 1.0, "rounds": 2, "note": ""}


@pytest.mark.parametrize("harm", ["missing", "truncated", "altered", "replaced"])
def test_an_output_that_no_longer_stands_is_made_again(chain: Chain, harm: str) -> None:
    record = chain.project.record(chain.run(), "two")
    output = chain.project.output(record, "data_two")
    if harm == "missing":
        output.unlink()
    elif harm == "truncated":
        output.write_text("2")
    elif harm == "altered":
        output.write_text("XX")
    else:
        output.unlink()
        output.mkdir()
    second = chain.run()
    assert states(second) == {"one": "skipped", "two": "success", "three": "skipped"}
    reason = chain.project.record(second, "two").reason
    assert "data_two" in reason
    assert ("is missing" if harm in ("missing", "replaced") else "altered") in reason
    assert chain.counts() == [1, 2, 1]
    assert set(states(chain.run()).values()) == {"skipped"}


def test_a_result_that_is_too_old_is_made_again(chain: Chain) -> None:
    chain.run()
    chain.changes["two"] = {"reuse_max_age": 0}
    second = chain.run()
    assert states(second)["two"] == "success"
    assert "reuse_max_age" in chain.project.record(second, "two").reason
    chain.changes["two"] = {"reuse_max_age": 3600}
    assert set(states(chain.run()).values()) == {"skipped"}


def test_parameters_count_unless_they_are_left_out(project: Project) -> None:
    script = "import sys; from pathlib import Path; Path(sys.argv[1]).write_text(sys.argv[2])"
    project.script("s.py", script)

    def dag() -> DAG:
        data = PipelineData("data")
        step = PythonScriptStep(
            "s.py",
            name="step",
            source_directory=project.source,
            arguments=[
                data,
                PipelineParameter("rate", 0.1),
                PipelineParameter("build", "1", in_fingerprint=False),
            ],
            outputs=[data],
        )
        return Pipeline(project.workspace, [step]).to_dag("parameters")

    project.run(dag())
    assert states(project.run(dag(), build="2")) == {"step": "skipped"}
    other = project.run(dag(), rate=0.2)
    assert states(other) == {"step": "success"}
    assert "rate 0.1 -> 0.2" in project.record(other, "step").reason
    assert states(project.run(dag(), rate=0.2, build="3")) == {"step": "skipped"}


def test_the_content_of_data_counts_and_not_its_place(project: Project) -> None:
    folder = project.workspace.config.datastores["workspaceblobstore"].folder
    for name in ("here", "there"):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.csv").write_text("1,2")
    script = "import sys; from pathlib import Path; Path(sys.argv[1]).write_text('x')"
    project.script("s.py", script)

    def run(path: str) -> Any:
        data = PipelineData("data")
        given = DataReference(project.workspace.get_default_datastore(), "given", path)
        step = PythonScriptStep(
            "s.py",
            name="step",
            source_directory=project.source,
            arguments=[data, given],
            inputs=[given],
            outputs=[data],
        )
        return project.run(Pipeline(project.workspace, [step]).to_dag("content"))

    assert states(run("here")) == {"step": "success"}
    assert states(run("there")) == {"step": "skipped"}
    (folder / "there" / "a.csv").write_text("1,3")
    changed = run("there")
    assert states(changed) == {"step": "success"}
    assert "a.csv" in project.record(changed, "step").reason


@pytest.mark.smoke
def test_tasks_behind_reused_steps_are_given_the_earlier_data(project: Project) -> None:
    script = """
        import sys
        from mlsteps.run import Run
        open(sys.argv[1], "w").write("made")
        run = Run.get_context()
        run.log("m", 3)
        run.parent.log("best", "x")
    """
    project.script("s.py", script)
    got = project.root / "got.json"

    def dag() -> DAG:
        with DAG("mixed", schedule=None) as made:
            data = PipelineData("data")
            reuse = ReuseSensor(task_id="reuse")
            step = PythonScriptStep(
                "s.py", name="step", source_directory=project.source, arguments=[data], outputs=[data]
            )
            reuse >> step

            @task(trigger_rule="none_failed")
            def always(reference: Any, all_of_them: Any, ti: Any = None) -> None:
                why = ti.xcom_pull(task_ids="step", key="reuse")
                read = [reference.open().read(), all_of_them["data"].open().read(), why]
                got.write_text(json.dumps(read))

            @task
            def only_if_new(reference: Any) -> None:
                pass

            always(step.outputs["data"], step.output)
            only_if_new(step.outputs["data"])
        return made

    first = project.run(dag())
    assert json.loads(got.read_text())[2] == "no earlier run"
    got.unlink()
    second = project.run(dag())
    assert states(second) == {"step": "skipped", "always": "success", "only_if_new": "skipped"}
    data, same, why = json.loads(got.read_text())
    assert (data, same) == ("made", "made")
    assert why.startswith(f"reused from run {first.run_id}")
    record = project.record(second, "step")
    assert record.metrics == {"m": 3}
    assert [event["value"] for event in record.parent_metric_events] == ["x"]


def test_steps_without_a_sensor_decide_for_themselves(project: Project) -> None:
    def dag() -> DAG:
        with DAG("alone", schedule=None) as made:
            data = PipelineData("data")
            project.step(
                "step",
                "import sys; from pathlib import Path; Path(sys.argv[1]).write_text('x')",
                arguments=[data],
                outputs=[data],
            )
            project.step("reader", "pass", arguments=[data], inputs=[data])
        return made

    assert set(states(project.run(dag())).values()) == {"success"}
    assert states(project.run(dag())) == {"step": "skipped", "reader": "skipped"}


def test_a_script_that_fails_or_cancels_leaves_no_result(project: Project) -> None:
    flag = project.root / "flag"
    script = f"""
        import sys
        from pathlib import Path
        from mlsteps.run import Run
        Path(sys.argv[1]).write_text("x")
        mode = Path({str(flag)!r}).read_text()
        if mode == "fail": sys.exit(3)
        if mode == "cancel": Run.get_context().parent.cancel()
    """

    def dag() -> DAG:
        data = PipelineData("data")
        step = project.step("step", script, arguments=[data], outputs=[data])
        return Pipeline(project.workspace, [step]).to_dag("failing")

    for mode, state in (("fail", "failed"), ("cancel", "success"), ("", "success"), ("", "skipped")):
        flag.write_text(mode)
        assert states(project.run(dag())) == {"step": state}, mode

"""A sensor in front of other people's tasks: what is skipped, what they get, what counts as a change."""

from __future__ import annotations

import importlib.util
import json
import textwrap
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, TaskGroup, task

from mlsteps import DataReference, PipelineData, PipelineParameter, ReuseSensor
from mlsteps.compat import listening
from mlsteps.exceptions import UserErrorException
from mlsteps.local_airflow import FinishedRun
from mlsteps.reuse.store import ReuseStore
from steps.project import Project, states

REASON = "reuse"


class Log:
    """What tasks have done, in a file: they may run in other processes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, text: str) -> None:
        with self.path.open("a") as stream:
            stream.write(f"{text}\n")

    def taken(self) -> list[str]:
        """All that was noted since the last time."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        self.path.unlink(missing_ok=True)
        return lines

    def taken_sorted(self) -> list[str]:
        """As `taken`; some Airflows run mapped instances in any order."""
        return sorted(self.taken())


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


def entries(project: Project) -> int:
    """How many results are kept."""
    return len(list(ReuseStore(project.workspace.record_store()).fingerprints()))


def why(run: FinishedRun) -> str:
    """What the sensor said of a run."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    wanted = select(XComModel).where(
        XComModel.run_id == run.run_id, XComModel.dag_id == run.dag_id, XComModel.task_id == "reuse_etl"
    )
    with create_session() as session:
        return str(session.scalars(wanted.where(XComModel.key == REASON)).one().value)


def errors_of(project: Project, dag: DAG) -> list[str]:
    """What the tasks of a DAG failed with."""
    found: list[str] = []

    def note(event: str, _: Any, error: object) -> None:
        if event == "failed":
            found.append(str(error))

    with listening(note):
        assert project.run(dag).failed
    return found


def files(project: Project, folder: str) -> list[str]:
    store = project.workspace.record_store()
    return [info.path for info in store.list("mlsteps/runs") if f"/{folder}/" in info.path]


# Hits and misses


@pytest.mark.smoke
def test_a_chain_of_bash_tasks_is_skipped_until_a_command_changes(project: Project, log: Log) -> None:
    def dag(word: str) -> DAG:
        with DAG("bash", schedule=None) as made:
            one = BashOperator(task_id="one", bash_command=f"echo {word} | tee -a {log.path}")
            two = BashOperator(task_id="two", bash_command=f"echo two >> {log.path}")
            one >> two
            ReuseSensor(task_id="reuse_etl", guards=[one, two], fingerprint={"day": 1})

            @task(trigger_rule="none_failed")
            def behind(said: Any, ti: Any = None) -> None:
                log.add(f"behind {said} {ti.xcom_pull(task_ids='two', key=REASON)}")

            behind(one.output) << two
        return made

    assert states(project.run(dag("a"))) == {"one": "success", "two": "success", "behind": "success"}
    assert log.taken() == ["a", "two", "behind a None"]
    assert not files(project, "guards/reuse_etl"), "parts are left"

    second = project.run(dag("a"))
    assert states(second) == {"one": "skipped", "two": "skipped", "behind": "success"}
    (line,) = log.taken()
    assert line.startswith("behind a reused from run ")

    changed = project.run(dag("b"))
    assert states(changed)["one"] == "success"
    assert log.taken()[:2] == ["b", "two"]
    assert why(changed).startswith("re-run: one: bash_command echo a | tee")
    assert states(project.run(dag("a")))["one"] == "skipped"


@pytest.mark.smoke
def test_taskflow_results_are_handed_on(project: Project, log: Log) -> None:
    def dag() -> DAG:
        with DAG("flow", schedule=None) as made:

            @task
            def extract() -> dict[str, Any]:
                log.add("extract")
                return {"rows": 3, "parts": (1, 2)}

            @task(multiple_outputs=False)
            def transform(given: Any) -> Any:
                log.add("transform")
                return {"sum": given["rows"], 1: None}

            @task(trigger_rule="none_failed")
            def load(rows: Any, result: Any, extracted: Any) -> None:
                log.add(json.dumps([rows, result, list(extracted["parts"])]))

            extracted = extract()
            transformed = transform(extracted)
            ReuseSensor(
                task_id="reuse_etl", guards=[extracted, transformed], fingerprint={"day": "{{ run_id[:1] }}"}
            )
            load(extracted["rows"], transformed, extracted)
        return made

    told = json.dumps([3, {"sum": 3, "1": None}, [1, 2]])
    project.run(dag())
    assert log.taken() == ["extract", "transform", told]
    second = project.run(dag())
    assert states(second) == {"extract": "skipped", "transform": "skipped", "load": "success"}
    assert log.taken() == [told]


@pytest.mark.smoke
def test_mapped_tasks_are_skipped_and_gathered(project: Project, log: Log) -> None:
    def dag(numbers: list[int]) -> DAG:
        with DAG("mapped", schedule=None) as made:

            @task
            def square(number: int) -> int:
                log.add(f"square {number}")
                return number * number

            @task(trigger_rule="none_failed")
            def gather(squares: Any) -> None:
                log.add(f"gather {list(squares)}")

            squares = square.expand(number=numbers)
            ReuseSensor(task_id="reuse_etl", guards=[squares], fingerprint={"day": 1})
            gather(squares)
        return made

    assert states(project.run(dag([1, 2, 3])))["square[2]"] == "success"
    assert log.taken_sorted() == ["gather [1, 4, 9]", "square 1", "square 2", "square 3"]
    assert states(project.run(dag([1, 2, 3]))) == {
        "square[0]": "skipped",
        "square[1]": "skipped",
        "square[2]": "skipped",
        "gather": "success",
    }
    assert log.taken() == ["gather [1, 4, 9]"]
    assert states(project.run(dag([1, 2])))["square[0]"] == "success"
    assert log.taken_sorted() == ["gather [1, 4]", "square 1", "square 2"]


@pytest.mark.smoke
def test_tasks_mapped_over_a_guards_result(project: Project, log: Log) -> None:
    """Airflow has no place for XComs of instances that it has not made, so nobody else may need them."""

    def dag(*, guard_gather: bool) -> DAG:
        with DAG(f"deep_{guard_gather}", schedule=None) as made:

            @task
            def numbers() -> list[int]:
                return [1, 2]

            @task
            def square(number: int) -> int:
                log.add(f"square {number}")
                return number * number

            @task(trigger_rule="none_failed")
            def gather(squares: Any) -> int:
                return sum(squares)

            @task(trigger_rule="none_failed")
            def behind(total: int) -> None:
                log.add(f"total {total}")

            given = numbers()
            squares = square.expand(number=given)
            total = gather(squares)
            guards = [given, squares, total] if guard_gather else [given, squares]
            ReuseSensor(task_id="reuse_etl", guards=guards, fingerprint={"day": 1})
            behind(total)
        return made

    project.run(dag(guard_gather=True))
    assert log.taken_sorted() == ["square 1", "square 2", "total 5"]
    second = states(project.run(dag(guard_gather=True)))
    assert second == {"numbers": "skipped", "square": "skipped", "gather": "skipped", "behind": "success"}
    assert log.taken() == ["total 5"]

    project.run(dag(guard_gather=False))
    log.taken()
    again = project.run(dag(guard_gather=False))
    assert states(again)["square[0]"] == "success"
    assert "'gather' among the guards" in why(again)


@pytest.mark.parametrize("rule", ["none_failed", "all_success"])
def test_a_task_that_is_mapped_over_a_guard_runs_if_it_shall_always(
    project: Project, log: Log, rule: str
) -> None:
    """Airflow skips what is mapped over a skipped task, whatever its trigger rule."""

    def dag() -> DAG:
        with DAG("over", schedule=None) as made:

            @task
            def numbers() -> list[int]:
                return [1, 2]

            @task
            def square(number: int) -> int:
                return number * number

            @task(trigger_rule=rule)
            def each(number: int) -> None:
                log.add(f"each {number}")

            @task(trigger_rule="none_failed")
            def another(number: int) -> None:
                log.add(f"another {number}")

            given, squares = numbers(), square.expand(number=[3])
            ReuseSensor(task_id="reuse_etl", guards=[given, squares], fingerprint={"day": 1})
            each.expand(number=given) >> another.expand(number=squares)
        return made

    project.run(dag())
    assert log.taken_sorted() == ["another 9", "each 1", "each 2"]
    second = project.run(dag())
    if rule == "all_success":
        assert {name: state for name, state in states(second).items() if state != "skipped"} == {
            "another[0]": "success"
        }
        assert log.taken() == ["another 9"]
    else:
        assert states(second)["numbers"] == "success"
        assert log.taken_sorted() == ["another 9", "each 1", "each 2"]
        assert "'each' among the guards" in why(second)


@pytest.mark.smoke
def test_a_changed_function_runs_again_and_says_so(project: Project, tmp_path: Path) -> None:
    numbers = count()

    def dag(body: str) -> DAG:
        file = tmp_path / f"flow_{next(numbers)}.py"
        file.write_text(
            textwrap.dedent(
                f"""
                from airflow.sdk import DAG, task
                from mlsteps import ReuseSensor

                with DAG("source", schedule=None) as dag:

                    @task
                    def made():
                        {body}

                    ReuseSensor(task_id="reuse_etl", guards=made(), fingerprint={{"day": 1}})
                """
            )
        )
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found: DAG = module.dag
        return found

    assert states(project.run(dag("return 1"))) == {"made": "success"}
    assert states(project.run(dag("return 1"))) == {"made": "skipped"}
    changed = project.run(dag("return 2"))
    assert states(changed) == {"made": "success"}
    assert why(changed) == "re-run: function of made changed"


def test_the_content_of_data_and_files_counts(project: Project, tmp_path: Path) -> None:
    query, more = tmp_path / "query.sql", tmp_path / "more.txt"
    query.write_text("select 1")
    more.write_text("x")
    sales = project.workspace.config.datastores["workspaceblobstore"].folder / "sales"
    sales.mkdir(parents=True)
    (sales / "a.csv").write_text("1,2")

    def dag() -> DAG:
        with DAG("content", schedule=None) as made:
            ReuseSensor(
                task_id="reuse_etl",
                retries=0,
                guards=[BashOperator(task_id="one", bash_command="true")],
                fingerprint={
                    "query": query,
                    "beside the DAG file": Path(Path(__file__).name),
                    "sales": DataReference(project.workspace.get_default_datastore(), "sales", "sales"),
                    "more": [{"text": more}, PipelineParameter("rate", 0.5), None, True],
                },
            )
        return made

    def run() -> tuple[str | None, str]:
        finished = project.run(dag())
        return states(finished)["one"], why(finished)

    assert run() == ("success", "no earlier run")
    assert run()[0] == "skipped"
    query.write_text("select 2")
    assert run() == ("success", "re-run: input query changed")
    (sales / "a.csv").write_text("1,3")
    assert run() == ("success", "re-run: input sales: a.csv changed")
    more.write_text("y")
    assert run() == ("success", "re-run: input more[0]['text'] changed")
    assert run()[0] == "skipped"
    query.unlink()
    (error,) = errors_of(project, dag())
    assert f"ReuseSensor 'reuse_etl', fingerprint 'query': there is nothing at {query}" in error


def test_a_parameter_counts_and_guards_can_be_forced(project: Project, log: Log) -> None:
    def dag() -> DAG:
        with DAG("forced", schedule=None) as made:
            one = BashOperator(task_id="one", bash_command=f"echo one >> {log.path}")
            two = BashOperator(task_id="two", bash_command=f"echo two >> {log.path}")
            one >> two
            ReuseSensor(
                task_id="reuse_etl",
                guards=[one, two],
                fingerprint={"rate": PipelineParameter("rate", 0.5)},
            )
        return made

    assert dag().params["rate"] == 0.5
    complete = dag()
    complete.resolve_template_files()
    offered = complete.params.get_param("regenerate_outputs").schema["examples"]
    assert offered == ["all", "reuse_etl", "one", "two"]
    project.run(dag())
    project.run(dag())
    assert log.taken() == ["one", "two"]
    project.run(dag(), rate=0.7)
    assert log.taken() == ["one", "two"]
    for names in (["reuse_etl"], ["two"], "all"):
        project.run(dag(), regenerate_outputs=names)
        assert log.taken() == ["one", "two"], names
    assert states(project.run(dag()))["one"] == "skipped"
    assert project.run(dag(), regenerate_outputs=["tow"]).failed
    assert log.taken() == []


def test_the_text_of_a_template_file_counts(project: Project, tmp_path: Path) -> None:
    script = tmp_path / "job.sh"

    def run(text: str) -> tuple[str | None, str]:
        script.write_text(text)
        with DAG("file", schedule=None, template_searchpath=str(tmp_path)) as made:
            one = BashOperator(task_id="one", bash_command="job.sh")
            ReuseSensor(task_id="reuse_etl", guards=[one], fingerprint={"day": 1})
        finished = project.run(made)
        return states(finished)["one"], why(finished)

    assert [run("echo 1")[0], run("echo 1")[0]] == ["success", "skipped"]
    assert run("echo 2") == ("success", "re-run: one: bash_command echo 1 -> echo 2")


def test_other_xcoms_are_handed_on_where_that_was_asked_for(project: Project, log: Log) -> None:
    def dag() -> DAG:
        with DAG("keys", schedule=None) as made:

            @task
            def made_by(ti: Any = None) -> None:
                ti.xcom_push("said", "a")
                ti.xcom_push("asked for", "b")
                ti.xcom_push("neither", "c")

            @task(trigger_rule="none_failed")
            def reads(asked_for: Any, ti: Any = None) -> None:
                found = [ti.xcom_pull(task_ids="made_by", key=key) for key in ("said", "neither")]
                log.add(json.dumps([asked_for, *found]))

            made_first = made_by()
            ReuseSensor(task_id="reuse_etl", guards=made_first, fingerprint={"day": 1}, xcom_keys=["said"])
            reads(made_first["asked for"])
        return made

    project.run(dag())
    project.run(dag())
    assert log.taken() == ['["b", "a", "c"]', '["b", "a", null]']


def test_a_step_behind_a_reused_guard_runs(project: Project) -> None:
    def dag() -> DAG:
        with DAG("behind", schedule=None) as made:
            one = BashOperator(task_id="one", bash_command="true")
            ReuseSensor(task_id="reuse_etl", guards=[one], fingerprint={"day": 1})
            one >> project.step("step", allow_reuse=False)
        return made

    project.run(dag())
    assert states(project.run(dag())) == {"one": "skipped", "step": "success"}


def test_a_result_that_is_too_old_is_made_again(project: Project) -> None:
    def run(max_age: timedelta | float | None) -> str | None:
        with DAG("old", schedule=None) as made:
            ReuseSensor(
                task_id="reuse_etl",
                guards=[BashOperator(task_id="one", bash_command="true")],
                fingerprint={"day": 1},
                max_age=max_age,
            )
        return states(project.run(made))["one"]

    assert [run(None), run(None), run(0), run(timedelta(hours=1))] == [
        "success",
        "skipped",
        "success",
        "skipped",
    ]


# Outputs


@pytest.mark.parametrize("harm", ["missing", "altered"])
def test_an_output_that_no_longer_stands_is_made_again(project: Project, harm: str) -> None:
    folder = project.workspace.config.datastores["workspaceblobstore"].folder
    folder.mkdir(parents=True, exist_ok=True)
    clean = folder / "clean.csv"

    def run() -> tuple[str | None, str]:
        with DAG("outputs", schedule=None) as made:
            ReuseSensor(
                task_id="reuse_etl",
                guards=[BashOperator(task_id="one", bash_command=f"echo 1 > {clean}")],
                fingerprint={"day": 1},
                outputs=[project.workspace.get_default_datastore().path("clean.csv")],
            )
        finished = project.run(made)
        return states(finished)["one"], why(finished)

    assert [run()[0], run()[0]] == ["success", "skipped"]
    if harm == "missing":
        clean.unlink()
    else:
        clean.write_text("2\n")
    state, reason = run()
    assert state == "success"
    assert ("is missing" if harm == "missing" else "was altered") in reason and "clean.csv" in reason
    assert run()[0] == "skipped"


def test_an_output_that_was_never_made_keeps_nothing(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    with DAG("nothing", schedule=None) as dag:
        ReuseSensor(
            task_id="reuse_etl",
            guards=[BashOperator(task_id="one", bash_command="true")],
            fingerprint={"day": 1},
            outputs=[project.workspace.get_default_datastore().path("clean.csv")],
        )
    assert states(project.run(dag)) == {"one": "success"}
    assert entries(project) == 0
    assert "not kept" in caplog.text and "clean" in caplog.text
    assert states(project.run(dag)) == {"one": "success"}


def test_data_that_the_guards_change_themselves_keeps_nothing(
    project: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "state.txt"
    state.write_text("0")
    with DAG("unsteady", schedule=None) as dag:
        ReuseSensor(
            task_id="reuse_etl",
            guards=[BashOperator(task_id="one", bash_command=f"echo 1 >> {state}")],
            fingerprint={"state": state},
        )
    assert states(project.run(dag)) == {"one": "success"}
    assert entries(project) == 0
    assert "'state' of the fingerprint changed while the guards ran" in caplog.text


def test_references_that_a_guard_hands_on_have_to_stand(project: Project, log: Log) -> None:
    def dag() -> DAG:
        with DAG("references", schedule=None) as made:
            data = PipelineData("data")
            step = project.step(
                "step",
                "import sys; from pathlib import Path; Path(sys.argv[1]).write_text('x')",
                arguments=[data],
                outputs=[data],
                allow_reuse=False,
            )

            @task
            def passes(given: Any) -> Any:
                log.add("passes")
                return [given]

            @task(trigger_rule="none_failed")
            def reads(given: Any) -> None:
                log.add(given[0].open().read())

            passed = passes(step.outputs["data"])
            ReuseSensor(task_id="reuse_etl", guards=passed, fingerprint={"data": step.outputs["data"]})
            reads(passed)
        return made

    project.run(dag())
    assert log.taken() == ["passes", "x"]
    assert states(project.run(dag())) == {"step": "success", "passes": "skipped", "reads": "success"}
    assert log.taken() == ["x"]
    record = next(iter(project.workspace.record_store().list("mlsteps/reuse")))
    entry = json.loads(project.workspace.record_store().read(record.path))
    (output,) = entry["outputs"].values()
    place = project.workspace.config.datastores[output["reference"]["datastore"]].folder
    (place / output["reference"]["path"]).unlink()
    assert states(project.run(dag()))["passes"] == "success"


# What leaves no result


@pytest.mark.smoke
def test_a_guard_that_fails_or_is_skipped_leaves_nothing(project: Project, log: Log) -> None:
    from mlsteps.compat import AirflowSkipException

    mode = ["fail"]

    def dag() -> DAG:
        with DAG("failing", schedule=None) as made:

            @task
            def one() -> int:
                log.add("one")
                return 1

            @task(trigger_rule="none_failed")
            def two(given: int) -> None:
                log.add(f"two {mode[0]}")
                if mode[0] == "fail":
                    raise ValueError("no")
                if mode[0] == "skip":
                    raise AirflowSkipException("not today")

            given = one()
            ReuseSensor(task_id="reuse_etl", guards=[given, two(given)], fingerprint={"day": 1})
        return made

    for word, state in (("fail", "failed"), ("skip", "skipped"), ("", "success")):
        mode[0] = word
        assert states(project.run(dag())) == {"one": "success", "two": state}
        assert log.taken() == ["one", f"two {word}"]
        assert entries(project) == (0 if word else 1)
    assert states(project.run(dag())) == {"one": "skipped", "two": "skipped"}


class Foreign:
    """What Airflow's serializer writes, but is not allowed to read again."""

    def serialize(self) -> dict[str, int]:
        return {"x": 1}


@pytest.mark.smoke
def test_a_result_that_airflow_cannot_carry_is_not_kept(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    with DAG("foreign", schedule=None) as dag:

        @task
        def made() -> Any:
            return Foreign()

        ReuseSensor(task_id="reuse_etl", guards=made(), fingerprint={"day": 1})
    assert states(project.run(dag)) == {"made": "success"}
    assert entries(project) == 0
    assert "XCom 'return_value' of task 'made' cannot be kept" in caplog.text
    assert states(project.run(dag)) == {"made": "success"}


def test_a_store_that_fails_does_not_fail_the_task(
    project: Project, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("mlsteps.sensors.guard_results.GuardResults.add", fail)
    with DAG("full", schedule=None) as dag:
        ReuseSensor(
            task_id="reuse_etl",
            guards=[BashOperator(task_id="one", bash_command="true")],
            fingerprint={"day": 1},
        )
    assert states(project.run(dag)) == {"one": "success"}
    assert "OSError: the disk is full" in caplog.text


def test_a_kept_xcom_that_cannot_be_read_any_longer_is_a_miss(project: Project) -> None:
    def dag() -> DAG:
        with DAG("spoiled", schedule=None) as made:
            one = BashOperator(task_id="one", bash_command="echo 1")
            ReuseSensor(task_id="reuse_etl", guards=one, fingerprint={"day": 1})
        return made

    project.run(dag())
    store = project.workspace.record_store()
    (entry,) = [info.path for info in store.list("mlsteps/reuse")]
    value = json.loads(store.read(entry))
    value["values"]["one"]["-1"]["return_value"] = {"__classname__": "no.such.Class", "__version__": 1}
    store.write(entry, json.dumps(value).encode())
    again = project.run(dag())
    assert states(again) == {"one": "success"}
    assert "XCom 'return_value' of 'one' cannot be read" in why(again)
    assert states(project.run(dag())) == {"one": "skipped"}


# Tasks that were cleared


def test_a_guard_that_runs_again_on_its_own_is_not_reused_until_all_have_run(
    project: Project, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clearing is Airflow's server's business; here a guard runs although the sensor has said otherwise."""
    from mlsteps.compat import DownstreamTasksSkipped
    from mlsteps.sensors.reuse import ReuseSensor as Sensor

    def dag() -> DAG:
        with DAG("again", schedule=None) as made:
            one = BashOperator(task_id="one", bash_command="true")
            two = BashOperator(task_id="two", bash_command="true", trigger_rule="none_failed")
            one >> two
            ReuseSensor(task_id="reuse_etl", guards=[one, two], fingerprint={"day": 1})
        return made

    project.run(dag())
    assert entries(project) == 1
    decide = Sensor._decide_about_guards

    def only_one(self: Any, context: Any) -> None:
        try:
            decide(self, context)
        except DownstreamTasksSkipped:
            raise DownstreamTasksSkipped(tasks=["one"]) from None

    with monkeypatch.context() as patched:
        patched.setattr(Sensor, "_decide_about_guards", only_one)
        assert states(project.run(dag())) == {"one": "skipped", "two": "success"}
    assert entries(project) == 0
    assert states(project.run(dag())) == {"one": "success", "two": "success"}
    assert states(project.run(dag())) == {"one": "skipped", "two": "skipped"}


def test_a_sensor_that_is_cleared_with_its_guards_has_them_all_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlsteps.sensors import guarded
    from mlsteps.steps.attempt import Attempt

    def dag() -> DAG:
        with DAG("cleared", schedule=None) as made:
            one = BashOperator(task_id="one", bash_command="true")
            ReuseSensor(task_id="reuse_etl", guards=[one], fingerprint={"day": 1})
        return made

    class ClearedOnce:
        @classmethod
        def of(cls, step: Any, context: Any) -> Any:
            found = Attempt.of(step, context)
            # What a run that is done with has left, and what Airflow then adds to the tries.
            guarded.GuardResults(found.records, found.dag_id, found.run_id, found.task_id).reused()
            return replace(found, max_tries=found.max_tries + 1)

    project.run(dag())
    with monkeypatch.context() as patched:
        patched.setattr(guarded, "Attempt", ClearedOnce)
        finished = project.run(dag())
    assert (states(finished), why(finished)) == ({"one": "success"}, "re-run: cleared and run again")
    assert states(project.run(dag())) == {"one": "skipped"}


# Declarations


@pytest.mark.smoke
def test_callbacks_of_the_users_own_are_called(project: Project, log: Log) -> None:
    def called(context: Any) -> None:
        log.add(f"called {context['ti'].task_id} {context['ti'].map_index}")

    arguments = {"on_success_callback": called}
    with DAG("callbacks", schedule=None, default_args=arguments) as dag:
        one = BashOperator(task_id="one", bash_command="true")
        two = BashOperator.partial(task_id="two").expand(bash_command=["true", "true "])
        other = BashOperator(task_id="other", bash_command="true")

        @task(on_success_callback=[called])
        def three(number: int) -> None:
            pass

        threes = three.expand(number=[7])
        ReuseSensor(task_id="reuse_etl", guards=[one, two, threes], fingerprint={"day": 1})
    assert len(other.on_success_callback) == 1
    project.run(dag)
    noted = [line for line in log.taken() if not line.startswith("called reuse_etl")]
    assert sorted(line.replace("None", "-1") for line in noted) == [
        "called one -1",
        "called other -1",
        "called three 0",
        "called two 0",
        "called two 1",
    ]
    assert entries(project) == 1


def test_groups_and_order(project: Project) -> None:
    with DAG("groups", schedule=None):
        with TaskGroup("etl") as group:
            one = BashOperator(task_id="one", bash_command="true")
            with TaskGroup("inner"):
                two = BashOperator.partial(task_id="two").expand(bash_command=["true"])
        before = BashOperator(task_id="before", bash_command="true")
        sensor = ReuseSensor(task_id="reuse_etl", guards=[group, one], fingerprint={"said": before.output})
    assert sensor.guards == ("etl.one", "etl.inner.two")
    assert one.upstream_task_ids == two.upstream_task_ids == {"reuse_etl"}
    assert sensor.upstream_task_ids == {"before"}
    with DAG("inside", schedule=None), TaskGroup("etl") as group:
        bash("one")
        sensor = ReuseSensor(task_id="reuse_etl", guards=group, fingerprint={"day": 1})
    assert sensor.guards == ("etl.one",)


def test_secrets_are_kept_as_hashes_only(project: Project) -> None:
    def run(password: str) -> tuple[str | None, str]:
        with DAG("secrets", schedule=None) as made:

            @task
            def uses(options: Any) -> None:
                pass

            one = BashOperator(task_id="one", bash_command="true", env={"WORD": password})
            used = uses([{"api_key": password}])
            ReuseSensor(task_id="reuse_etl", guards=[one, used], fingerprint={"day": 1})
        finished = project.run(made)
        return states(finished)["one"], why(finished)

    assert [run("opensesame")[0], run("opensesame")[0]] == ["success", "skipped"]
    for info in project.workspace.record_store().list("mlsteps/reuse"):
        assert b"opensesame" not in project.workspace.record_store().read(info.path)
    state, reason = run("swordfish")
    assert state == "success"
    assert "environment variable one: env.WORD changed" in reason
    assert "sesame" not in reason and "swordfish" not in reason


def test_the_serialized_dag_is_the_same_each_time(project: Project) -> None:
    def serialized(dag: DAG) -> Any:
        try:
            from airflow.serialization.serialized_objects import DagSerialization as Serialization
        except ImportError:  # 3.1
            from airflow.serialization.serialized_objects import SerializedDAG as Serialization
        return Serialization.serialize_dag(dag)

    def dag() -> DAG:
        with DAG("stable", schedule=None) as made:
            ReuseSensor(
                task_id="reuse_etl",
                guards=[BashOperator(task_id="one", bash_command="true")],
                fingerprint={
                    "query": Path("query.sql"),
                    "sales": DataReference(project.workspace.get_default_datastore(), "sales", "sales"),
                    "rate": PipelineParameter("rate", 0.5),
                },
            )
        return made

    one, two = (json.dumps(serialized(dag()), sort_keys=True, default=str) for _ in range(2))
    assert one == two


def bash(task_id: str = "one") -> BashOperator:
    return BashOperator(task_id=task_id, bash_command="true")


@pytest.mark.parametrize(
    ("declare", "told"),
    [
        (lambda p: ReuseSensor(task_id="s", guards=[bash()]), "'fingerprint': .*it is missing.*For example"),
        (lambda p: ReuseSensor(task_id="s", guards=[bash()], fingerprint={}), "'fingerprint': .*it is {}"),
        (lambda p: ReuseSensor(task_id="s", fingerprint={"a": 1}), "'fingerprint': it is for guards"),
        (lambda p: ReuseSensor(task_id="s", guards=[], fingerprint={"a": 1}), "'guards': it holds no task"),
        (
            lambda p: ReuseSensor(task_id="s", guards=["one"], fingerprint={"a": 1}),
            "'guards': str is no task",
        ),
        (lambda p: ReuseSensor(task_id="s", guards=[bash], fingerprint={"a": 1}), "bash is no task.*calling"),
        (
            lambda p: ReuseSensor(task_id="s", guards=[p.step("step")], fingerprint={"a": 1}),
            "'step' is a pipeline step.*Leave guards out",
        ),
        (
            lambda p: ReuseSensor(task_id="s", guards=[ReuseSensor(task_id="r")], fingerprint={"a": 1}),
            "'r' is a ReuseSensor",
        ),
        (
            lambda p: ReuseSensor(
                task_id="s",
                guards=[BashOperator(task_id="o", bash_command="", dag=DAG("o"))],
                fingerprint={1: 1},
            ),
            "task 'o' is in DAG 'o', the sensor in 'wrong'",
        ),
        (lambda p: ReuseSensor(task_id="s", guards=[bash()], fingerprint={1: 1}), "the name 1 is no text"),
        (
            lambda p: ReuseSensor(task_id="s", guards=[bash()], fingerprint={"a": {"b": [object()]}}),
            r"\"a\['b'\]\[0\]\" is a object.*Give texts",
        ),
        (
            lambda p: ReuseSensor(
                task_id="s", guards=[bash()], fingerprint={"a": p.workspace.get_default_datastore()}
            ),
            "'a' is a Datastore. Give a DataReference",
        ),
        (
            lambda p: ReuseSensor(
                task_id="s",
                guards=[bash()],
                fingerprint={"a": PipelineParameter("a", 1, in_fingerprint=False)},
            ),
            "'a' is a PipelineParameter with in_fingerprint=False. Leave it out",
        ),
        (
            lambda p: ReuseSensor(task_id="s", guards=[one := bash()], fingerprint={"a": one.output}),
            "'a' is a result of 'one', which runs only after the sensor",
        ),
        (
            lambda p: ReuseSensor(task_id="s", guards=[bash()], fingerprint={"a": 1}, outputs=["x"]),
            "'outputs': 'x' is no DataReference",
        ),
        (
            lambda p: ReuseSensor(task_id="s", guards=[bash()], fingerprint={"a": 1}, max_age=-1),
            "'max_age': expected a timedelta or seconds",
        ),
        (
            lambda p: ReuseSensor(
                task_id="s", guards=[bash()], fingerprint={"a": 1}, xcom_keys="return_value"
            ),
            "'xcom_keys': expected a list of texts",
        ),
    ],
)
def test_wrong_declarations_are_refused(
    project: Project, declare: Callable[[Project], Any], told: str
) -> None:
    with DAG("wrong", schedule=None), pytest.raises(UserErrorException, match=f"ReuseSensor 's', .*{told}"):
        declare(project)


def test_a_task_has_one_sensor_and_no_mapped_group(project: Project) -> None:
    from airflow.sdk import task_group

    with DAG("twice", schedule=None):
        one = bash()
        ReuseSensor(task_id="first", guards=one, fingerprint={"a": 1})
        with pytest.raises(UserErrorException, match="'one' is guarded by 'first' already"):
            ReuseSensor(task_id="second", guards=one, fingerprint={"a": 1})

        inner: list[Any] = []

        @task_group
        def group(number: int) -> None:
            inner.append(bash("inner"))

        group.expand(number=[1])
        with pytest.raises(UserErrorException, match="'group.inner' is in a mapped task group"):
            ReuseSensor(task_id="third", guards=inner, fingerprint={"a": 1})


def test_outputs_of_another_workspace_are_refused(project: Project, tmp_path: Path) -> None:
    from mlsteps import Workspace

    other = Workspace(folder=tmp_path / "other")
    with DAG("elsewhere", schedule=None) as dag:
        ReuseSensor(
            task_id="reuse_etl",
            guards=[bash()],
            fingerprint={"a": 1},
            outputs=[other.get_default_datastore().path("x")],
        )
    (error,) = errors_of(project, dag)
    assert "Give the sensor the workspace of its outputs" in error

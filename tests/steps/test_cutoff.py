"""Early cutoff: steps behind one that made the same as before are skipped, and do not even start."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import pytest
from airflow.sdk import DAG, task

from mlsteps import PipelineData, PythonScriptStep, ReuseSensor
from steps.project import Project, states

# The number of the try that a step has which never started.
NEVER_STARTED = 0

WORK = """
    import sys
    from pathlib import Path
    target, *read = map(Path, sys.argv[1:])
    target.write_text("".join([target.name, *(path.read_text() for path in read)]))
"""


class Steps:
    """Steps that read one another, each with a script of its own, behind a sensor."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.data: dict[str, PipelineData] = {}

    def step(self, name: str, *before: str) -> PythonScriptStep:
        """A step called ``name`` that reads what those ``before`` make."""
        folder = self.project.root / "scripts" / name
        if not folder.exists():
            self.edit(name, "")
        self.data[name] = PipelineData(f"data_{name}")
        read = [self.data[other] for other in before]
        return PythonScriptStep(
            "work.py",
            name=name,
            arguments=[self.data[name], *read],
            inputs=read,
            outputs=[self.data[name]],
            source_directory=folder,
        )

    def edit(self, name: str, comment: str) -> None:
        """Change a step's script, and not what it does."""
        folder = self.project.root / "scripts" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "work.py").write_text(f"{textwrap.dedent(WORK)}\n# {comment}\n")


@pytest.fixture
def steps(project: Project) -> Steps:
    return Steps(project)


def diamond(steps: Steps) -> DAG:
    with DAG("diamond") as dag:
        reuse = ReuseSensor(task_id="reuse")
        first = steps.step("a")
        reuse >> first
        steps.step("b", "a")
        steps.step("c", "a")
        steps.step("d", "b", "c")
        steps.step("e", "d")
    return dag


def started(project: Project, run: Any, names: str = "abcde") -> list[str]:
    return [name for name in names if project.record(run, name).try_number != NEVER_STARTED]


def test_steps_behind_one_that_made_the_same_do_not_start(steps: Steps) -> None:
    project = steps.project
    first = project.run(diamond(steps))
    steps.edit("b", "says nothing new")
    run = project.run(diamond(steps))
    assert states(run) == {
        "a": "skipped",
        "b": "success",
        "c": "skipped",
        "d": "skipped",
        "e": "skipped",
    }
    assert started(project, run) == ["b"]
    record = project.record(run, "e")
    assert (record.state, record.reused_from["run_id"]) == ("reused", first.run_id)


def test_a_step_behind_two_that_ran_is_decided_by_the_last_of_them(steps: Steps) -> None:
    project = steps.project
    project.run(diamond(steps))
    for name in ("b", "c"):
        steps.edit(name, "says nothing new")
    run = project.run(diamond(steps))
    assert not run.failed
    assert started(project, run) == ["b", "c"]


def test_a_step_behind_one_that_made_something_else_starts(steps: Steps) -> None:
    project = steps.project
    project.run(diamond(steps))
    script = project.root / "scripts" / "c" / "work.py"
    script.write_text(script.read_text().replace('"".join(', '"new" + "".join('))
    run = project.run(diamond(steps))
    assert started(project, run) == ["c", "d", "e"]


def test_a_step_behind_a_task_of_another_kind_decides_for_itself(steps: Steps) -> None:
    project = steps.project

    def pipeline() -> DAG:
        with DAG("mixed") as dag:

            @task(trigger_rule="none_failed")
            def other() -> None:
                """Might change what the step behind it reads."""

            reuse = ReuseSensor(task_id="reuse")
            first = steps.step("a")
            reuse >> first
            second = steps.step("b", "a")
            first >> other() >> second
        return dag

    project.run(pipeline())
    steps.edit("a", "says nothing new")
    run = project.run(pipeline())
    assert states(run)["b"] == "skipped"
    assert started(project, run, "ab") == ["a", "b"]


def test_a_step_that_cuts_others_off_hands_its_outputs_on_all_the_same(steps: Steps) -> None:
    project = steps.project

    def pipeline() -> DAG:
        with DAG("reading") as dag:

            @task(trigger_rule="none_failed")
            def read(one: Any, all_of_two: Any) -> None:
                seen = project.root / f"seen-{one.name}.json"
                seen.write_text(json.dumps([one.path_on_datastore, sorted(all_of_two)]))

            reuse = ReuseSensor(task_id="reuse")
            first = steps.step("a")
            reuse >> first
            second = steps.step("b", "a")
            read(first.output["data_a"], second.output)
            read.override(task_id="again")(second.output["data_b"], first.output)
        return dag

    project.run(pipeline())
    steps.edit("a", "says nothing new")
    run = project.run(pipeline())
    assert states(run) == {
        "a": "success",
        "b": "skipped",
        "read": "success",
        "again": "success",
    }
    assert started(project, run, "ab") == ["a"]
    read_first, read_again = (
        json.loads((project.root / f"seen-{name}.json").read_text()) for name in ("data_a", "data_b")
    )
    assert read_first[1] == ["data_b"]
    assert read_again[1] == ["data_a"]


def test_trouble_with_the_look_behind_costs_nothing_but_starts(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = steps.project
    project.run(diamond(steps))
    steps.edit("b", "says nothing new")

    def broken(*_: object) -> None:
        raise OSError("the store is away")

    monkeypatch.setattr("mlsteps.steps.lifecycle.reused_behind", broken)
    run = project.run(diamond(steps))
    assert not run.failed
    assert started(project, run) == ["b", "d", "e"]
    assert states(run)["e"] == "skipped"

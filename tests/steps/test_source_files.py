"""Steps that take only some files of their source directory along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from mlsteps import Pipeline, PipelineData, PythonScriptStep
from mlsteps.exceptions import StepDefinitionError
from mlsteps.local_airflow import FinishedRun
from mlsteps.reuse.selection import select
from mlsteps.reuse.snapshot import take_snapshot
from steps.project import Project, states

# Writes what it sees of its folder, and what it imports.
LOOK = """
    import sys
    from pathlib import Path
    import common.values
    files = sorted(str(path) for path in Path().rglob("*.*") if "__pycache__" not in path.parts)
    Path(sys.argv[1]).write_text(f"{common.values.VALUE} {files}")
"""


@pytest.fixture
def sources(project: Project) -> Project:
    """A project whose steps share a directory."""
    project.script("look.py", LOOK)
    project.script("common/values.py", "VALUE = 1")
    project.script("other.py", "raise SystemExit(1)")
    project.script("data/large.csv", "1,2")
    return project


def dag(project: Project, script: str = "look.py", **options: Any) -> DAG:
    seen = PipelineData("seen")
    step = PythonScriptStep(
        script,
        name="look",
        arguments=[seen],
        outputs=[seen],
        source_directory=project.source,
        **{"source_files": ["common/"], **options},
    )
    return Pipeline(project.workspace, [step]).to_dag("look")


def seen(project: Project, run: FinishedRun) -> str:
    return project.output(project.record(run, "look"), "seen").read_text()


def test_the_script_sees_its_own_file_and_those_that_are_named_and_no_others(sources: Project) -> None:
    run = sources.run(dag(sources))
    assert states(run) == {"look": "success"}
    assert seen(sources, run) == "1 ['common/values.py', 'look.py']"


def test_only_a_change_of_what_is_taken_along_counts(sources: Project) -> None:
    first = sources.run(dag(sources))
    sources.script("other.py", "changed")
    sources.script("data/new.csv", "3")
    (sources.source / "data" / "large.csv").unlink()
    assert states(sources.run(dag(sources))) == {"look": "skipped"}
    sources.script("common/values.py", "VALUE = 2")
    changed = sources.run(dag(sources))
    assert states(changed) == {"look": "success"}
    assert sources.record(changed, "look").reason == "re-run: common/values.py changed"
    assert seen(sources, changed).startswith("2 ")
    keys = [sources.record(run, "look").key["code"] for run in (first, changed)]
    assert keys[0] != keys[1]


def test_a_pattern_that_names_nothing_fails_the_step_and_says_so(sources: Project) -> None:
    run = sources.run(dag(sources, source_files=["common/", "comon/"]))
    assert states(run) == {"look": "failed"}
    error = sources.record(run, "look").error
    assert error is not None
    assert "'comon/' of source_files names no file" in error
    assert str(sources.source) in error


def taken(project: Project, script: str, *patterns: str) -> list[str]:
    step = PythonScriptStep(script, source_directory=project.source, source_files=patterns)
    return list(select(take_snapshot(project.source), step.taken_along()).files)


def test_without_source_files_all_is_taken(sources: Project) -> None:
    step = PythonScriptStep("look.py", source_directory=sources.source)
    assert step.taken_along() == ()


@pytest.mark.parametrize(
    "script",
    ["sub/look.py", "./sub/look.py", "sub/../sub/look.py", "train[1].py", "a b.py ", "!#?*.py", "b\t.py"],
)
def test_the_script_is_always_taken_whatever_its_name(sources: Project, script: str) -> None:
    sources.script(script)
    sources.script("train1.py")
    expected = str((Path(sources.source) / script).resolve().relative_to(sources.source.resolve()))
    assert taken(sources, script, "common/values.py") == sorted(["common/values.py", expected])


@pytest.mark.parametrize("pattern", ["!look.py", "!*.py", "!*"])
def test_no_pattern_leaves_the_script_out(sources: Project, pattern: str) -> None:
    assert "look.py" in taken(sources, "look.py", "data/", pattern)


def test_a_script_of_the_same_name_in_another_folder_is_not_taken(sources: Project) -> None:
    sources.script("data/look.py")
    assert taken(sources, "look.py", "common/") == ["common/values.py", "look.py"]


@pytest.mark.parametrize(
    "patterns", ["common/", b"common/", {"common/"}, [1], [None], [""], ["a", " "], 5, {}]
)
def test_what_is_no_list_of_patterns_is_refused(project: Project, patterns: Any) -> None:
    with pytest.raises(StepDefinitionError) as caught:
        project.step("look", source_files=patterns)
    assert (caught.value.step, caught.value.argument) == ("look", "source_files")
    assert repr(patterns) in str(caught.value)


@pytest.mark.parametrize("patterns", [None, [], ()])
def test_no_patterns_are_as_if_they_were_not_given(project: Project, patterns: Any) -> None:
    assert project.step("look", source_files=patterns).taken_along() == ()


def test_a_dag_may_say_how_all_its_steps_are_reused(project: Project) -> None:
    from airflow.sdk import DAG

    settings = {"source_files": ["shared.py"], "on_reuse": "success", "reuse_max_age": 60, "reuse_timeout": 5}
    with DAG("defaults", schedule=None, default_args=settings):
        step = project.step("step")
    assert step.taken_along() == ("shared.py", "/step.py")
    assert not step.skips_when_reused
    assert (step.reuse_max_age.total_seconds(), step.reuse_timeout) == (60, 5)

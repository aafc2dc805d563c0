"""A try whose worker died leaves a run on Databricks: the next try goes on with that one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compute.databricks.there import LONG, NOTEBOOK, There, eventually, once_it_runs
from mlsteps.compute import JobSuspended
from mlsteps.compute.databricks import starting
from mlsteps.compute.databricks.api import Databricks
from mlsteps.exceptions import ComputeTargetException

WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from compute.databricks.test_taking_over import try_of
from compute.databricks.there import CLUSTER, There
from mlsteps.compute.databricks.task import DatabricksTask
there = There(Path(sys.argv[2]), None)
task = DatabricksTask("S", "notebook", "/Shared/nb", CLUSTER)
there.run(task, **try_of(there, 1))
"""
DEFERRED = {"deferrable": True}
MADE = """
import time
time.sleep(0.2)
open(dbutils.widgets.get("made"), "w").write(dbutils.widgets.get("--AZUREML_RUN_ID"))
"""


def try_of(there: There, number: int, **changes: Any) -> dict[str, Any]:
    """What is particular to one try of the step."""
    name = f"step.{number}"
    return {
        "id": name,
        "step": "step",
        "fingerprint": "f",
        "variables": {"AZUREML_RUN_ID": name},
        "outputs": (there.bench.writes("made", f"azureml/{name}/made"),),
        **changes,
    }


def killed_while_it_waits(there: There, text: str, **changes: Any) -> Any:
    """The task of a first try that is deferred; nobody comes back."""
    task = there.notebook(text)
    with pytest.raises(JobSuspended):
        there.run(task, settings=DEFERRED, **try_of(there, 1, **changes))
    return task


def made_by_the_first(there: There, outcome: Any) -> None:
    assert outcome.error is None, there.bench.lines
    assert len(there.double.submitted) == 1
    assert outcome.places == {"made": "azureml/step.1/made"}
    assert there.bench.store.read(outcome.places["made"]) == b"step.1"
    assert outcome.manifests["made"].bytes == len("step.1")
    assert outcome.environment["started_by"] == "step.1"
    assert not list(there.bench.store.list("mlsteps/databricks"))


@pytest.mark.parametrize("while_it_runs", [True, False])
def test_the_next_try_goes_on_with_a_run(there: There, while_it_runs: bool) -> None:
    task = killed_while_it_waits(there, MADE)
    if not while_it_runs:
        eventually(lambda: there.ended(101))
    made_by_the_first(there, there.run(task, **try_of(there, 2)))
    assert any("earlier try" in line for line in there.printed("databricks"))


def test_a_worker_that_is_killed_while_it_stays_with_a_run_ends_nothing(there: There, tmp_path: Path) -> None:
    task = there.notebook(MADE.replace("0.2", "2"))
    tests = str(Path(__file__).parents[2])
    worker = subprocess.Popen([sys.executable, "-c", WORKER, tests, str(tmp_path)])
    eventually(lambda: 101 in there.double.runs, seconds=60)
    eventually(lambda: [path for _, path, _ in there.double.requests if path.endswith("runs/get")])
    worker.kill()
    worker.wait()
    made_by_the_first(there, there.run(task, **try_of(there, 2)))


def test_the_next_try_may_be_deferred_too(there: There) -> None:
    task = killed_while_it_waits(there, MADE)
    with pytest.raises(JobSuspended) as waiting:
        there.run(task, settings=DEFERRED, **try_of(there, 2))
    assert waiting.value.settings["run_id"] == 101
    eventually(lambda: there.ended(101))
    # Even if something has changed meanwhile: it is this very try's run.
    changed = try_of(there, 2, resumed=True, fingerprint="g")
    made_by_the_first(there, there.run(task, settings=DEFERRED, **changed))


def test_a_third_try_goes_on_with_what_the_second_has_taken_over(there: There) -> None:
    task = killed_while_it_waits(there, MADE)
    with pytest.raises(JobSuspended):
        there.run(task, settings=DEFERRED, **try_of(there, 2))
    made_by_the_first(there, there.run(task, **try_of(there, 3)))


def test_a_kill_before_the_answer_of_databricks_leaves_no_second_run(
    there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = Databricks.submit

    def killed(self: Databricks, request: Any) -> int:
        submit(self, request)
        raise KeyboardInterrupt

    task = there.notebook(MADE)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(starting.Databricks, "submit", killed)
        there.run(task, **try_of(there, 1))
    made_by_the_first(there, there.run(task, **try_of(there, 2)))


def test_a_kill_before_the_run_was_asked_for_costs_nothing(
    there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: Databricks, request: Any) -> int:
        raise KeyboardInterrupt

    task = there.notebook(MADE)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(starting.Databricks, "submit", killed)
        there.run(task, **try_of(there, 1))
    outcome = there.run(task, **try_of(there, 2))
    assert outcome.error is None and outcome.places == {"made": "azureml/step.1/made"}
    assert len(there.double.submitted) == 1


def test_what_the_run_has_logged_is_the_next_trys(there: There) -> None:
    line = "import sys; sys.path.append(dbutils.widgets.get('mlsteps_path'))\n"
    logs = f"{line}from mlsteps.run import Run\nRun.get_context().log('a', 1)\n"
    task = killed_while_it_waits(there, logs + MADE)
    outcome = there.run(task, **try_of(there, 2))
    assert [event.get("value") for event in outcome.events] == [1]
    made_by_the_first(there, outcome)


@pytest.mark.parametrize("way", ["failed", "canceled", "deleted"])
def test_a_run_that_came_to_nothing_is_not_gone_on_with(there: There, way: str) -> None:
    task = killed_while_it_waits(there, "raise ValueError" if way == "failed" else LONG)
    if way == "failed":
        eventually(lambda: there.ended(101))
    elif way == "canceled":
        there.double.runs[101].end("CANCELED", "by somebody")
    else:
        there.double.lose(101)
    there.double.files.put("/Shared/nb", NOTEBOOK + MADE)
    outcome = there.run(task, **try_of(there, 2))
    assert outcome.error is None, there.bench.lines
    assert outcome.places == {"made": "azureml/step.2/made"}
    assert there.bench.store.read("azureml/step.2/made") == b"step.2"
    assert len(there.double.submitted) == 2


def test_a_run_that_computes_something_else_is_ended(there: There) -> None:
    task = killed_while_it_waits(there, LONG, fingerprint="other")
    there.double.files.put("/Shared/nb", NOTEBOOK + MADE)
    outcome = there.run(task, **try_of(there, 2))
    assert outcome.error is None and outcome.places == {"made": "azureml/step.2/made"}
    assert there.ended(101) == "CANCELED"


def test_a_process_that_nobody_answers_for_leaves_the_run_to_the_next_try(there: There) -> None:
    task = there.notebook(MADE)
    once_it_runs(there, lambda: setattr(there.bench.watcher, "supervisor", -1))
    with pytest.raises(ComputeTargetException, match="left to the next try"):
        there.run(task, **try_of(there, 1, tried_again=True))
    there.bench.watcher.supervisor = None
    made_by_the_first(there, there.run(task, **try_of(there, 2)))


def test_without_a_next_try_it_is_ended(there: There) -> None:
    task = there.notebook(LONG)
    once_it_runs(there, lambda: setattr(there.bench.watcher, "supervisor", -1))
    assert there.run(task, **try_of(there, 1)).error is not None
    assert there.ended(101) == "CANCELED"

"""Steps that are stopped: by Airflow, by a time limit of Airflow's, and with the worker itself."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk import DAG

from mlsteps.steps.base import PipelineStep
from steps.project import Project, states

# Starts a child of its own, says who both are, and would stay for a minute, deaf to SIGTERM.
STUBBORN = """
    import os, signal, subprocess, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code])
    from mlsteps.run import Run
    Run.get_context().log("started", 1)
    with open(os.environ["PIDS"] + ".part", "w") as f:
        f.write(f"{os.getpid()} {child.pid}")
    os.rename(os.environ["PIDS"] + ".part", os.environ["PIDS"])
    time.sleep(60)
"""


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(condition: object, seconds: float) -> None:
    """Wait until ``condition()`` holds."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def stubborn(project: Project, **arguments: object) -> PipelineStep:
    from mlsteps import RunConfiguration

    configuration = RunConfiguration()
    configuration.environment_variables = {"PIDS": str(project.root / "pids")}
    step: PipelineStep = project.step("stubborn", STUBBORN, runconfig=configuration, **arguments)
    return step


def pids(project: Project) -> list[int]:
    return [int(pid) for pid in (project.root / "pids").read_text().split()]


@pytest.mark.smoke
def test_on_kill_ends_the_whole_process_group_within_five_seconds(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[PipelineStep] = []
    watch = PipelineStep.watch_with
    monkeypatch.setattr(PipelineStep, "watch_with", lambda step, w: (running.append(step), watch(step, w))[1])
    with DAG("killed") as dag:
        stubborn(project)
    gone: list[float] = []

    def kill() -> None:
        wait_for((project.root / "pids").exists, 30)
        asked = time.monotonic()
        running[0].on_kill()
        wait_for(lambda: not any(alive(pid) for pid in pids(project)), 10)
        gone.append(time.monotonic() - asked)

    thread = threading.Thread(target=kill)
    thread.start()
    run = project.run(dag)
    thread.join(20)
    assert gone and gone[0] < 5
    assert states(run) == {"stubborn": "failed"}
    record = project.record(run, "stubborn")
    assert "The script was stopped because its task was." in str(record.error)
    assert record.metrics == {"started": 1}


def test_kill_before_anything_runs_is_no_error(project: Project) -> None:
    project.step("a").on_kill()


def test_execution_timeout_of_airflow_ends_the_script(project: Project) -> None:
    with DAG("timed_out") as dag:
        stubborn(project, execution_timeout=timedelta(seconds=2))
    run = project.run(dag)
    assert states(run) == {"stubborn": "failed"}
    assert not any(alive(pid) for pid in pids(project))
    record = project.record(run, "stubborn")
    assert record.state == "failed"
    assert record.error


WORKER = """
import os, sys
from airflow.sdk import DAG
from mlsteps import PythonScriptStep, PipelineData, RunConfiguration
from mlsteps.local_airflow import run_dag
configuration = RunConfiguration()
configuration.environment_variables = {{"PIDS": {pids!r}, "SHORT": os.environ.get("SHORT", "")}}
with DAG("worker_killed") as dag:
    PythonScriptStep("work.py", "work", source_directory={source!r}, runconfig=configuration)
run = run_dag(dag)
sys.exit(run.failed)
"""


@pytest.mark.slow
def test_kill_of_the_worker_leaves_no_script_and_a_second_run_succeeds(
    project: Project, airflow_db: Path
) -> None:
    import textwrap

    text = textwrap.dedent(STUBBORN)
    project.script("work.py", "import os\nif os.environ['SHORT']: raise SystemExit(0)\n" + text)
    program = WORKER.format(pids=str(project.root / "pids"), source=str(project.source))
    command = [sys.executable, "-c", program]
    # In the home and database of this process: the second run has to get along with what the first one left.
    environment = dict(os.environ)
    said = project.root / "worker.log"
    with said.open("w") as log:
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_for(lambda: (project.root / "pids").exists() or worker.poll() is not None, 120)
        assert worker.poll() is None, said.read_text()[-3000:]
    finally:
        worker.kill()
    worker.wait()
    wait_for(lambda: not any(alive(pid) for pid in pids(project)), 15)

    from mlsteps.records import list_runs, read_step, read_steps

    store = project.workspace.record_store()
    (record,) = list_runs(store)
    (step,) = read_steps(store, record)
    assert "killed from outside" in str(step.error), "what is read says that nobody is at work any more"
    written = read_step(store, step.folder)
    assert written is not None
    assert (written.state, written.finished) == ("running", False)
    assert list((project.folder / "scratch").iterdir())

    again = subprocess.run(command, env={**environment, "SHORT": "1"}, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr[-3000:]
    newest = list_runs(store)[0]
    assert [step.state for step in read_steps(store, newest)] == ["ran"]
    assert len(list_runs(store)) == 2
    assert not list((project.folder / "scratch").iterdir()), "what the killed worker left is swept"

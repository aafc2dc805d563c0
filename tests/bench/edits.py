"""A chain of ten steps of which one is edited, under Airflow with its scheduler, beside BashOperators."""

from __future__ import annotations

from pathlib import Path

from bench.budgets import Line, Tell
from bench.reruns import Finished, run_to_end
from mlsteps.cli.standalone import StandaloneAirflow

STEPS = 10
EDITED = 6

_SCRIPT = """\
import sys
from pathlib import Path

read = "".join(Path(name).read_text() for name in sys.argv[2:])
Path(sys.argv[1]).write_text(read + "{text}")
"""

_PIPELINE = """\
# A DAG file of Airflow's.
from mlsteps import Pipeline, PipelineData, PythonScriptStep, Workspace

steps, before = [], []
for number in range(1, {steps} + 1):
    made = PipelineData(f"data_{{number}}")
    steps.append(
        PythonScriptStep(
            "work.py",
            name=f"step_{{number}}",
            arguments=[made, *before],
            inputs=before,
            outputs=[made],
            source_directory=f"{folder}/step_{{number}}",
        )
    )
    before = [made]

dag = Pipeline(Workspace(), steps).to_dag("edited")
"""

_BASH = """\
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG("edited_bash", schedule=None):
    tasks = []
    for number in range(1, {steps} + 1):
        read = f"{folder}/data_{{number - 1}}" if number > 1 else ""
        command = f"python {folder}/step_{{number}}/work.py {folder}/data_{{number}} {{read}}"
        tasks.append(BashOperator(task_id=f"step_{{number}}", bash_command=command))
        if number > 1:
            tasks[-2] >> tasks[-1]
"""


def edits(folder: Path, tell: Tell) -> list[Line]:
    """How many of ten steps run again, and how long it takes, after each kind of edit of the sixth.

    A task that runs and need not, or the other way round, is a RuntimeError: no number makes up for it.
    """
    scripts, dags = folder / "scripts", folder / "edited-dags"
    dags.mkdir(parents=True)
    for number in range(1, STEPS + 1):
        _write(scripts, number, "x")
    (dags / "edited.py").write_text(_PIPELINE.format(steps=STEPS, folder=scripts))
    (dags / "edited_bash.py").write_text(_BASH.format(steps=STEPS, folder=scripts))
    with StandaloneAirflow(folder / "edited-airflow", dags) as airflow:
        for dag_id in ("edited", "edited_bash"):
            airflow.wait_for_dag(dag_id)
        tell("ten steps and ten BashOperators for the first time")
        bash = run_to_end(airflow, "edited_bash")
        first = run_to_end(airflow, "edited")
        _check(first, set(range(1, STEPS + 1)))
        lines = []
        for what, text, comment, expected in (
            ("unchanged", "x", "", 0),
            (f"change step {EDITED} of {STEPS}", "y", "", STEPS - EDITED + 1),
            (f"only a comment in step {EDITED} of {STEPS}", "y", "# says nothing new", 1),
            (f"revert step {EDITED} of {STEPS}", "x", "", 0),
        ):
            tell(what)
            _write(scripts, EDITED, text, comment)
            finished = run_to_end(airflow, "edited")
            _check(finished, set(range(EDITED, EDITED + expected)))
            compared = (
                f"{finished.seconds:.1f} s; as BashOperators, which all run, {bash.seconds:.1f} s; "
                f"all steps {first.seconds:.1f} s"
            )
            lines.append(Line(what, compared, _ran(finished), "steps", expected))
    return lines


def _ran(finished: Finished) -> int:
    return finished.executed - 1  # the sensor


def _check(finished: Finished, expected: set[int]) -> None:
    ran = {name for name, state in finished.states.items() if state == "success"}
    wanted = {"reuse", *(f"step_{number}" for number in expected)}
    if ran != wanted:
        raise RuntimeError(f"{sorted(ran)} ran, and not {sorted(wanted)}.")


def _write(scripts: Path, number: int, text: str, comment: str = "") -> None:
    folder = scripts / f"step_{number}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "work.py").write_text(_SCRIPT.format(text=text) + comment)

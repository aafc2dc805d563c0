"""DAG files to measure: one chain of tasks as BashOperators and as steps, in both styles of writing them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SCRIPT = "script.py"

# Airflow reads only files that hold both words, "airflow" and "dag".
_BASH = """\
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG({dag_id!r}, schedule=None):
    before = None
    for number in range({steps}):
        task = BashOperator(task_id=f"step_{{number}}", bash_command="python script.py", cwd={folder!r})
        if before is not None:
            before >> task
        before = task
"""

_STEPS = """\
from airflow.sdk import DAG
from mlsteps import PipelineData, PythonScriptStep

with DAG({dag_id!r}, schedule=None):
    before = None
    for number in range({steps}):
        data = PipelineData(f"data_{{number}}")
        PythonScriptStep(
            name=f"step_{{number}}",
            script_name="script.py",
            arguments=["--to", data] if before is None else ["--from", before, "--to", data],
            inputs=[] if before is None else [before],
            outputs=[data],
        )
        before = data
"""

_PIPELINE = """\
# A DAG file of Airflow's.
from mlsteps import Pipeline, PipelineData, PythonScriptStep, Workspace

steps = []
before = None
for number in range({steps}):
    data = PipelineData(f"data_{{number}}")
    steps.append(
        PythonScriptStep(
            name=f"step_{{number}}",
            script_name="script.py",
            arguments=["--to", data] if before is None else ["--from", before, "--to", data],
            inputs=[] if before is None else [before],
            outputs=[data],
        )
    )
    before = data

dag = Pipeline(Workspace(), steps).to_dag({dag_id!r})
"""

# Without data: what is compared is one script and nothing else.
_PRINTING = """\
from airflow.sdk import DAG
from mlsteps import PythonScriptStep

with DAG({dag_id!r}, schedule=None):
    before = None
    for number in range({steps}):
        task = PythonScriptStep(name=f"step_{{number}}", script_name="script.py")
        if before is not None:
            before >> task
        before = task
"""

_STYLES: Mapping[str, str] = {
    "bash": _BASH,
    "steps": _STEPS,
    "pipeline": _PIPELINE,
    "printing": _PRINTING,
}


_DAG_IDS = {"printing": "steps"}


def write_dag_file(folder: Path, style: str, steps: int, dag_id: str | None = None) -> Path:
    """Write a DAG file of a style, with the script that its tasks run beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SCRIPT).write_text("print(1)\n")
    file = folder / f"{style}_{steps}.py"
    file.write_text(
        _STYLES[style].format(steps=steps, folder=str(folder), dag_id=dag_id or _DAG_IDS.get(style, style))
    )
    return file

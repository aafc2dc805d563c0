"""A project as a user has one: scripts in a folder, a workspace, DAGs over them, and their runs."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlsteps.workspace import WORKSPACE_VARIABLE, Workspace

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from mlsteps.local_airflow import FinishedRun
    from mlsteps.records import RunRecord, StepRecord

# A script that tells what it was given, in a file that the test reads.
TELL = """
    import json, os, sys
    from pathlib import Path
    note = {
        "argv": sys.argv[1:], "cwd": os.getcwd(), "variables": dict(os.environ),
        "listing": sorted(os.listdir()), "kinds": {a: kind(a) for a in sys.argv[1:]} if (kind := lambda p:
            "file" if os.path.isfile(p) else "directory" if os.path.isdir(p) else
            "parent" if os.path.isdir(os.path.dirname(p) or "/nowhere") else "nothing") else None,
    }
    Path(os.environ["NOTE"]).write_text(json.dumps(note))
"""


class Project:
    """Scripts below ``source``, a workspace that is the default one, and what its runs recorded."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.source = root / "src"
        self.source.mkdir()
        self.folder = root / "ws"
        self.folder.mkdir()
        monkeypatch.setenv(WORKSPACE_VARIABLE, str(self.folder))
        self.workspace = Workspace(folder=self.folder)

    def script(self, name: str, text: str = "pass") -> str:
        """Write a script and return its name."""
        file = self.source / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return name

    def step(self, name: str, text: str = "pass", **arguments: Any) -> Any:
        """A step of this name that runs ``text``."""
        from mlsteps import PythonScriptStep

        script = self.script(f"{name.strip().replace(' ', '_')}.py", text)
        return PythonScriptStep(script, name=name, source_directory=self.source, **arguments)

    def note(self, name: str) -> Path:
        """Where a script that tells leaves its note."""
        return self.root / f"note-{name}.json"

    def told(self, name: str) -> dict[str, Any]:
        """What the script of ``name`` told."""
        told: dict[str, Any] = json.loads(self.note(name).read_text())
        return told

    def run(self, dag: DAG, **conf: Any) -> FinishedRun:
        """Run a DAG to its end."""
        from mlsteps.local_airflow import run_dag

        return run_dag(dag, conf)

    def record(self, run: FinishedRun, task_id: str, map_index: int = -1) -> StepRecord:
        """The record of a step that has started."""
        from mlsteps.records import layout, read_step

        folder = layout.step_folder(run.dag_id, run.run_id, task_id, map_index)
        record = read_step(self.workspace.record_store(), folder)
        assert record is not None, f"no record of {task_id} in {folder}"
        return record

    def run_record(self, run: FinishedRun) -> RunRecord:
        """The record of a run."""
        from mlsteps.records import read_run

        record = read_run(self.workspace.record_store(), run.dag_id, run.run_id)
        assert record is not None
        return record

    def output(self, record: StepRecord, name: str) -> Path:
        """Where an output of a step lies."""
        reference = record.outputs[name]
        return self.workspace.config.datastores[reference["datastore"]].folder / str(reference["path"])


def states(run: FinishedRun) -> dict[str, str | None]:
    """How each task of a run ended."""
    return {
        task.task_id if task.map_index < 0 else f"{task.task_id}[{task.map_index}]": task.state
        for task in run.tasks
    }


def edges(dag: DAG) -> set[tuple[str, str]]:
    """The order among a DAG's tasks, as Airflow sees it."""
    return {(task.task_id, after) for task in dag.task_dict.values() for after in task.downstream_task_ids}

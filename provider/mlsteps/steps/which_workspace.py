"""Which folder and workspace an operator belongs to; one rule for steps and sensors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mlsteps.steps.declaration import declaring_file
from mlsteps.steps.directories import as_path
from mlsteps.workspace import WORKSPACE_FILE, WORKSPACE_VARIABLE, Workspace

if TYPE_CHECKING:
    from airflow.sdk import DAG


def declaring_folder(dag: DAG | None) -> Path:
    """The folder of the DAG file; without one, of the file that is declaring the operator now."""
    file = dag.fileloc if dag is not None and os.path.isfile(dag.fileloc) else declaring_file()
    return as_path(os.path.dirname(file)) if file else Path.cwd()


def which_workspace(given: Workspace | None, beside: Path) -> Workspace:
    """The one that was given; else the ``workspace.yaml`` in a folder; else the default one.

    :param beside: The folder of the DAG file.
    """
    if given is not None:
        return given
    file = beside / WORKSPACE_FILE
    if not os.environ.get(WORKSPACE_VARIABLE) and file.is_file():
        return Workspace(folder=file)
    return Workspace()

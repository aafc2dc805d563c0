"""Starting what was published on a running Airflow, which shows it as a DAG."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mlsteps.exceptions import UserErrorException, WorkspaceException
from mlsteps.publishing.dag_ids import dag_id_of, publication_told
from mlsteps.runs import PipelineRun, RunRequest
from mlsteps.runs.dag_ids import PUBLISHED
from mlsteps.steps.submitted import conf_of

if TYPE_CHECKING:
    from mlsteps.hooks.airflow import RunningAirflow
    from mlsteps.publishing.published_pipeline import PublishedPipeline

SHOWN_SECONDS = 300.0
"""How long Airflow may take to show what was published."""

_PAUSE = 1.0


def start_on_airflow(published: PublishedPipeline, request: RunRequest) -> PipelineRun:
    """Start a run of the newest publication of a name, once Airflow shows it.

    :param request: With parameters that were checked.
    :raises WorkspaceException: Airflow cannot be asked, refuses, or does not show the publication.
    :raises UserErrorException: its DAG is paused.
    """
    airflow = request.experiment.workspace.running_airflow()
    assert airflow is not None
    dag_id = dag_id_of(PUBLISHED, published.name)
    dag = _once_shown(airflow, dag_id, published)
    if dag.get("is_paused"):
        raise UserErrorException(f"DAG {dag_id!r} is paused in {airflow!r}: unpause it to run {published!r}.")
    run_id = str(uuid4())
    airflow.trigger(dag_id, run_id, conf_of(request))
    return PipelineRun(request.experiment, run_id, _dag_id=dag_id)


def _once_shown(airflow: RunningAirflow, dag_id: str, published: PublishedPipeline) -> dict[str, Any]:
    deadline, told = time.monotonic() + SHOWN_SECONDS, False
    while True:
        dag = airflow.dag(dag_id)
        shown = None if dag is None else publication_told(dag.get("doc_md"))
        if dag is not None and shown == published.id:
            return dag
        if time.monotonic() >= deadline:
            raise WorkspaceException(
                f"{airflow!r} does not show {published!r} as DAG {dag_id!r}, but {shown or 'nothing'}, after "
                f"{SHOWN_SECONDS:.0f} seconds. Has it the DAG bundle of what this workspace has published?"
            )
        if not told:
            print(f"Waiting for Airflow to show DAG {dag_id} ...", flush=True)
            told = True
        time.sleep(_PAUSE)

"""A run as SDK v1's service tells it, made of Airflow's answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from mlsteps.rest.bodies import PipelineRunEntity, RunStatus
from mlsteps.steps.submitted import CONF_KEY, Submission

# Airflow's states of runs.
_CODES = {"queued": "NotStarted", "running": "Running", "success": "Finished", "failed": "Failed"}


def entity_of(run: Mapping[str, Any], pages: str) -> PipelineRunEntity:
    """What to answer.

    :param run: Airflow's answer.
    :param pages: Where Airflow's pages are.
    """
    given = dict(run.get("conf") or {})
    submission = Submission.of(given.pop(CONF_KEY, None))
    said = submission.properties
    dag_id, run_id = str(run["dag_id"]), str(run["dag_run_id"])
    code = _CODES.get(str(run.get("state")), "Running")
    return PipelineRunEntity(
        Id=run_id,
        Status=RunStatus(StatusCode=code, CreationTime=run.get("queued_at"), EndTime=run.get("end_date")),
        PipelineId=said.get("PipelineId"),
        PipelineEndpointId=said.get("PipelineEndpointId"),
        HasErrors=code == "Failed",
        Description=submission.description,
        RunHistoryExperimentName=submission.experiment or run.get("dag_display_name"),
        ParameterAssignments=given,
        RunSource=said.get("RunSource"),
        RunType=said.get("RunType"),
        ScheduleId=said.get("ScheduleId"),
        ContinueRunOnStepFailure=submission.continue_on_step_failure,
        tags=dict(submission.tags),
        Properties=dict(said),
        CreatedDate=run.get("queued_at"),
        DagId=dag_id,
        DagRunId=run_id,
        Url=f"{pages}/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}",
    )

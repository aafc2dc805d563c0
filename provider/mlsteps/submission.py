"""Submitting a pipeline: it becomes a DAG, and the DAG runs in this process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlsteps.exceptions import MlstepsException, UserErrorException
from mlsteps.local_airflow import run_dag
from mlsteps.records.run_definitions import keep_run_definition
from mlsteps.runs import PipelineRun, RunRequest
from mlsteps.runs.dag_ids import dag_id_from_name
from mlsteps.steps.submitted import conf_of

if TYPE_CHECKING:
    from mlsteps.pipeline import Pipeline


def run_in_process(pipeline: Pipeline, request: RunRequest) -> PipelineRun:
    """Run a pipeline to its end, one step after the other.

    :raises PipelineParameterError: a parameter is unknown or has the wrong type.
    :raises UserErrorException: the pipeline cannot run in this workspace; the text says all that is wrong.
    """
    request = replace(request, parameters=pipeline.check_parameters(request.parameters))
    problems = pipeline.validate()
    if problems:
        raise UserErrorException("The pipeline cannot run:\n" + "\n".join(problems))
    definition, refused = _definition(pipeline)  # as it is now: the run may change its own sources
    experiment = request.experiment
    dag = pipeline.to_dag(dag_id_from_name(experiment.name), dag_display_name=experiment.name)
    finished = run_dag(dag, conf_of(request))
    store = experiment.workspace.record_store()
    keep_run_definition(store, finished.dag_id, finished.run_id, definition, refused)
    run = PipelineRun(experiment, finished.run_id)
    run.finish("failed" if finished.failed else "success", request.tags, request.parameters)
    return run


def _definition(pipeline: Pipeline) -> tuple[str | None, str | None]:
    """The pipeline as it could be published, or why it cannot."""
    try:
        return pipeline.definition(for_record=True).text, None
    except (MlstepsException, OSError) as error:
        return None, str(error)

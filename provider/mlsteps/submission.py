"""Submitting a pipeline: it becomes a DAG, and the DAG runs in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.exceptions import MlstepsException, UserErrorException
from mlsteps.local_airflow import run_dag
from mlsteps.records.run_definitions import keep_run_definition
from mlsteps.runs import Experiment, PipelineRun
from mlsteps.runs.dag_ids import dag_id_from_name
from mlsteps.steps.parameters import REGENERATE
from mlsteps.steps.submitted import Submission

if TYPE_CHECKING:
    from mlsteps.pipeline import Pipeline


def run_in_process(
    pipeline: Pipeline,
    experiment: Experiment,
    tags: Mapping[str, str],
    parameters: Mapping[str, Any],
    continue_on_step_failure: bool,
    regenerate_outputs: bool = False,
) -> PipelineRun:
    """Run a pipeline to its end, one step after the other.

    :raises PipelineParameterError: a parameter is unknown or has the wrong type.
    :raises UserErrorException: the pipeline cannot run in this workspace; the text says all that is wrong.
    """
    values = pipeline.check_parameters(parameters)
    problems = pipeline.validate()
    if problems:
        raise UserErrorException("The pipeline cannot run:\n" + "\n".join(problems))
    definition, refused = _definition(pipeline)  # as it is now: the run may change its own sources
    dag = pipeline.to_dag(dag_id_from_name(experiment.name), dag_display_name=experiment.name)
    if regenerate_outputs:
        values[REGENERATE] = "all"
    submission = Submission(
        experiment=experiment.name, tags=tags, continue_on_step_failure=continue_on_step_failure
    )
    finished = run_dag(dag, {**values, **submission.conf()})
    store = experiment.workspace.record_store()
    keep_run_definition(store, finished.dag_id, finished.run_id, definition, refused)
    run = PipelineRun(experiment, finished.run_id)
    run.finish("failed" if finished.failed else "success", tags, values)
    return run


def _definition(pipeline: Pipeline) -> tuple[str | None, str | None]:
    """The pipeline as it could be published, or why it cannot."""
    try:
        return pipeline.definition(for_record=True).text, None
    except (MlstepsException, OSError) as error:
        return None, str(error)

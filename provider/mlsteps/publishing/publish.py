"""Publishing: a definition goes to the workspace's registry, under an id of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mlsteps.data.names import is_text
from mlsteps.definitions import Definition, Freezer, parse
from mlsteps.exceptions import UserErrorException
from mlsteps.publishing.published_pipeline import PublishedPipeline, pipeline_of
from mlsteps.records import read_run
from mlsteps.records.published_pipelines import PublishedRecord, keep_published
from mlsteps.records.run_definitions import read_run_definition
from mlsteps.run.journal import utc_now
from mlsteps.runs.dag_ids import PUBLICATION

if TYPE_CHECKING:
    from mlsteps.graph import Graph
    from mlsteps.workspace import Workspace

_UNNAMED = "pipeline"


def publish(
    workspace: Workspace,
    definition: Definition,
    name: str | None,
    description: str | None,
    version: str | None,
    continue_on_step_failure: bool | None,
) -> PublishedPipeline:
    """Publish what a definition describes; see ``Pipeline.publish``.

    :raises UserErrorException: the name is no text.
    """
    if name is not None and not is_text(name):
        raise UserErrorException(f"publish: the name of a pipeline is a text, got {name!r}.")
    record = PublishedRecord(
        id=str(uuid4()),
        name=name or _UNNAMED,
        created=utc_now(),
        definition=definition.digest,
        description=description if description is not None else definition.description,
        pipeline_version=None if version is None else str(version),
        continue_on_step_failure=continue_on_step_failure,
        step_names=tuple(definition.step_names),
    )
    keep_published(workspace.record_store(), record, definition.text.encode())
    return PublishedPipeline.from_record(workspace, record)


def publish_run(
    workspace: Workspace,
    dag_id: str,
    run_id: str,
    name: str | None,
    description: str | None,
    version: str | None,
    continue_on_step_failure: bool | None,
    **kwargs: Any,
) -> PublishedPipeline:
    """Publish the pipeline that a run ran; see ``PipelineRun.publish_pipeline``.

    :raises UserErrorException: nothing was kept of the pipeline; the text says why.
    """
    if kwargs:
        raise UserErrorException(f"publish_pipeline got an unknown argument {sorted(kwargs)[0]!r}.")
    definition = definition_with_code(workspace, dag_id, run_id)
    return publish(workspace, definition, name, description, version, continue_on_step_failure)


def definition_with_code(workspace: Workspace, dag_id: str, run_id: str) -> Definition:
    """What a run ran, if its code is still there: it may have been cleared away with other runs.

    :raises UserErrorException: nothing was kept of the pipeline; the text says why.
    :raises SnapshotException: the code of a step is gone.
    """
    definition, freezer = definition_of_run(workspace, dag_id, run_id), Freezer(workspace)
    for step in definition.parts(workspace)[0]:
        freezer.code_of(step, step.source_directory)
    return definition


def definition_of_run(workspace: Workspace, dag_id: str, run_id: str) -> Definition:
    """What a run ran, as it was then.

    :raises UserErrorException: nothing was kept of the pipeline; the text says why.
    """
    store = workspace.record_store()
    record = read_run(store, dag_id, run_id)
    publication = record.properties.get(PUBLICATION) if record else None
    if publication:
        return PublishedPipeline.get(workspace, str(publication)).definition()
    kept = read_run_definition(store, dag_id, run_id)
    if kept is None:
        raise UserErrorException(
            f"Run {run_id!r} is of no Pipeline that was submitted or published, so nothing is kept of it. "
            f"Publish the pipeline itself: Pipeline(...).publish(...)."
        )
    text, refused = kept
    if text is None:
        raise UserErrorException(f"Run {run_id!r} is of a pipeline that cannot be published: {refused}")
    return parse(text)


def save_run(workspace: Workspace, dag_id: str, run_id: str, name: str, path: str | None) -> str:
    """Write the pipeline that a run ran as a YAML file; see ``PipelineRun.save``."""
    from mlsteps.publishing.v1_yaml import save_yaml

    return save_yaml(pipeline_of(workspace, definition_of_run(workspace, dag_id, run_id)), name, path)


def graph_of_run(workspace: Workspace, dag_id: str, run_id: str) -> Graph:
    """The steps that a run ran, and their order; see ``PipelineRun.get_graph``."""
    return pipeline_of(workspace, definition_of_run(workspace, dag_id, run_id)).graph

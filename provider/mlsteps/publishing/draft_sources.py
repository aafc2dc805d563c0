"""What a pipeline draft is made of: a pipeline, a published one, a run or another draft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlsteps.definitions import Definition
from mlsteps.exceptions import UserErrorException
from mlsteps.publishing.publish import definition_with_code
from mlsteps.publishing.published_pipeline import PublishedPipeline
from mlsteps.runs import PipelineRun

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace


@dataclass(frozen=True)
class DraftSource:
    """A pipeline, and what its source says for who does not say it.

    :param parents: Fields of the draft's record that name the source.
    """

    definition: Definition
    name: str | None = None
    description: str | None = None
    experiment_name: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    continue_on_step_failure: bool | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)


def source_of(workspace: Workspace, given: Any) -> DraftSource:
    """What somebody wants a draft of.

    :raises UserErrorException: it is none of these, is of another workspace, or nothing is kept of it.
    :raises StepDefinitionError: a step of the pipeline cannot be written down.
    """
    if hasattr(given, "draft_source"):
        _check_workspace(workspace, given, given.workspace)
        found: DraftSource = given.draft_source()
        return found
    if isinstance(given, PublishedPipeline):
        _check_workspace(workspace, given, given.workspace)
        return DraftSource(
            given.definition(),
            given.name,
            given.description,
            continue_on_step_failure=given.continue_on_step_failure,
            parents={"parent_pipeline_id": given.id},
        )
    if isinstance(given, PipelineRun):
        _check_workspace(workspace, given, given.experiment.workspace)
        record = given.record
        return DraftSource(
            definition_with_code(workspace, record.dag_id, given.id),
            given.experiment.name,
            record.description,
            given.experiment.name,
            record.parameters,
            parents={"parent_pipeline_run_id": given.id},
        )
    if hasattr(given, "graph") and hasattr(given, "definition"):
        _check_workspace(workspace, given, given.workspace)
        return DraftSource(given.definition(), description=given.description)
    raise UserErrorException(
        f"A draft is made of a Pipeline, PublishedPipeline, PipelineRun or PipelineDraft, got "
        f"{type(given).__name__}."
    )


def _check_workspace(workspace: Workspace, given: Any, its: Workspace) -> None:
    if its != workspace:
        raise UserErrorException(f"{given!r} is of {its!r}: a draft of it can be made there only.")

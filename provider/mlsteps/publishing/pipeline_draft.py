"""PipelineDraft: a pipeline that is still worked on, kept in the workspace's registry."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mlsteps.data.names import is_text
from mlsteps.definitions import Definition, parse
from mlsteps.exceptions import UserErrorException, WorkspaceException
from mlsteps.publishing.draft_sources import DraftSource, source_of
from mlsteps.publishing.draft_view import DraftView
from mlsteps.publishing.publish import publish
from mlsteps.publishing.published_pipeline import PublishedPipeline, pipeline_of
from mlsteps.records.pipeline_drafts import (
    DRAFTS,
    DraftRecord,
    definitions_folder,
    keep_draft_definition,
    read_draft_definition,
)
from mlsteps.run.journal import utc_now
from mlsteps.run.labels import as_tags
from mlsteps.runs import Experiment

if TYPE_CHECKING:
    from mlsteps.graph import Graph
    from mlsteps.pipeline import Pipeline
    from mlsteps.runs import PipelineRun
    from mlsteps.workspace import Workspace


class PipelineDraft(DraftView):
    """A pipeline that is still worked on: it can be run, changed, and published when it is good.

    It has a pipeline as that was when the draft was made or updated, with its code, and the settings of its
    next run. Made by :meth:`create`, found by :meth:`get` and :meth:`list`.

    (SDK v1: ``azureml.pipeline.core.PipelineDraft``.)
    """

    @staticmethod
    def create(
        workspace: Workspace,
        pipeline: Pipeline | PublishedPipeline | PipelineRun | PipelineDraft,
        name: str | None = None,
        description: str | None = None,
        experiment_name: str | None = None,
        pipeline_parameters: Mapping[str, Any] | None = None,
        continue_on_step_failure: bool | None = None,
        tags: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        _workflow_provider: Any = None,
        _service_endpoint: str | None = None,
    ) -> PipelineDraft:
        """A new draft; what is not said is as in what it is made of.

        :param pipeline: A Pipeline, which needs a name and an experiment; a published one, which needs an
            experiment; a run, or another draft, which is cloned.
        :param pipeline_parameters: Values for its runs.
        :param tags: Of the draft and its runs.
        :param properties: Labels that do not change.
        :raises UserErrorException: name or experiment is missing, or nothing is kept of the run.
        :raises StepDefinitionError: a step holds what cannot be written down.
        :raises PipelineParameterError: a parameter is unknown or has the wrong type.
        """
        source = source_of(workspace, pipeline)
        id, store = str(uuid4()), workspace.record_store()
        values = source.parameters if pipeline_parameters is None else pipeline_parameters
        go_on = continue_on_step_failure
        record = DraftRecord(
            id,
            _named("name", source.name if name is None else name),
            utc_now(),
            "",
            _named("experiment_name", experiment_name or source.experiment_name),
            (source.description if description is None else description) or "",
            as_tags(source.tags if tags is None else tags),
            {str(key): str(value) for key, value in (properties or {}).items()},
            pipeline_of(workspace, source.definition).read_parameters(values),
            source.continue_on_step_failure if go_on is None else go_on,
        )
        kept = keep_draft_definition(store, id, source.definition.text)
        record = replace(record, definition=kept, **source.parents)  # type: ignore[arg-type]
        DRAFTS.create(store, record)
        return _of(workspace, record)

    @staticmethod
    def get(
        workspace: Workspace, id: str, _workflow_provider: Any = None, _service_endpoint: str | None = None
    ) -> PipelineDraft:
        """The draft with this id.

        :raises WorkspaceException: the workspace has none.
        """
        record = DRAFTS.read(workspace.record_store(), id)
        if record is None or record.deleted:
            raise WorkspaceException(
                f"Workspace {workspace.name!r} has no pipeline draft {id!r}. "
                f"PipelineDraft.list(workspace) says which it has."
            )
        return _of(workspace, record)

    @staticmethod
    def list(
        workspace: Workspace, tags: Mapping[str, str] | None = None, _workflow_provider: Any = None
    ) -> builtins.list[PipelineDraft]:
        """The workspace's drafts, the newest first.

        :param tags: Only those that have all of these.
        """
        return [
            _of(workspace, record)
            for record in DRAFTS.list(workspace.record_store())
            if not record.deleted and as_tags(tags or {}).items() <= dict(record.tags).items()
        ]

    # Its pipeline

    def definition(self) -> Definition:
        """What its pipeline is.

        :raises WorkspaceException: the draft was deleted.
        """
        record = self._refreshed()
        return parse(read_draft_definition(self.workspace.record_store(), record))

    def pipeline(self) -> Pipeline:
        """Its pipeline, with the code that it had when it was put into the draft."""
        return pipeline_of(self.workspace, self.definition())

    def get_graph(self, _workflow_provider: Any = None) -> Graph:
        """The steps of its pipeline, and the order among them."""
        return self.pipeline().graph

    def save(self, path: str | None = None, _workflow_provider: Any = None) -> str:
        """Write it as a YAML file; see ``PublishedPipeline.save``."""
        from mlsteps.publishing.v1_yaml import save_yaml

        return save_yaml(self.pipeline(), self.name, path)

    def draft_source(self) -> DraftSource:
        """What another draft takes over from this one."""
        record = self._refreshed()
        return DraftSource(
            self.definition(),
            record.name,
            record.description,
            record.experiment_name,
            record.parameters,
            record.continue_on_step_failure,
            record.tags,
            {"parent_pipeline_draft_id": record.id},
        )

    # What can be done with it

    def update(
        self,
        pipeline: Pipeline | PublishedPipeline | PipelineRun | PipelineDraft | None = None,
        name: str | None = None,
        description: str | None = None,
        experiment_name: str | None = None,
        tags: Mapping[str, Any] | None = None,
        pipeline_parameters: Mapping[str, Any] | None = None,
        continue_on_step_failure: bool | None = None,
        _workflow_provider: Any = None,
    ) -> None:
        """Change what is given; the rest stays.

        :raises PipelineParameterError: a value does not fit the pipeline, be it one that was there before.
        """
        before = self._refreshed()
        definition = self.definition() if pipeline is None else source_of(self.workspace, pipeline).definition
        values = before.parameters if pipeline_parameters is None else pipeline_parameters
        given = {
            "name": name and _named("name", name),
            "description": description,
            "experiment_name": experiment_name and _named("experiment_name", experiment_name),
            "tags": None if tags is None else as_tags(tags),
            "parameters": pipeline_of(self.workspace, definition).read_parameters(values),
            "continue_on_step_failure": continue_on_step_failure,
            "definition": keep_draft_definition(self.workspace.record_store(), self.id, definition.text),
        }
        changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        self._change(lambda record: replace(record, **changes))

    def submit_run(self, _workflow_provider: Any = None) -> PipelineRun:
        """Run it with the draft's settings; see :meth:`mlsteps.Experiment.submit`."""
        record = self._refreshed()
        run = Experiment(self.workspace, record.experiment_name).submit(
            self.pipeline(),
            tags=record.tags,
            pipeline_parameters=record.parameters,
            continue_on_step_failure=record.continue_on_step_failure,
        )
        self._change(lambda record: replace(record, last_submitted_pipeline_run_id=run.id))
        return run

    def publish(self, _workflow_provider: Any = None) -> PublishedPipeline:
        """Publish its pipeline under the draft's name. Values of parameters are the draft's own."""
        record = self._refreshed()
        return publish(
            self.workspace,
            self.definition(),
            record.name,
            record.description or None,
            None,
            record.continue_on_step_failure,
        )

    def delete(self, _workflow_provider: Any = None) -> None:
        """Remove it; its runs and publications stay."""
        self._change(lambda record: replace(record, deleted=True))
        self.workspace.record_store().delete(definitions_folder(self.id))

    def _change(self, change: Callable[[DraftRecord], DraftRecord]) -> None:
        self._refreshed()
        self._record = DRAFTS.change(self.workspace.record_store(), self.id, change)

    def _refreshed(self) -> DraftRecord:
        record = DRAFTS.read(self.workspace.record_store(), self.id)
        if record is None or record.deleted:
            raise WorkspaceException(f"{self!r} was deleted.")
        self._record = record
        return record


def _of(workspace: Workspace, record: DraftRecord) -> PipelineDraft:
    draft = PipelineDraft.__new__(PipelineDraft)
    draft.workspace, draft._record = workspace, record
    return draft


def _named(argument: str, given: object) -> str:
    if is_text(given):
        return str(given)
    raise UserErrorException(f"PipelineDraft, argument {argument!r}: expected a text, got {given!r}.")

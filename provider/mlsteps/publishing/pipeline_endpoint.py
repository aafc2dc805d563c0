"""PipelineEndpoint: one name for the versions of a pipeline, of which one is the default."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mlsteps.data.names import is_text
from mlsteps.exceptions import UserErrorException, WorkspaceException
from mlsteps.publishing.endpoint_view import EndpointView, id_of
from mlsteps.publishing.published_pipeline import PublishedPipeline
from mlsteps.records.pipeline_endpoints import (
    ENDPOINT_NAMES,
    ENDPOINTS,
    EndpointRecord,
    create_endpoint,
)
from mlsteps.records.published_pipelines import ACTIVE, DISABLED
from mlsteps.run.journal import utc_now

if TYPE_CHECKING:
    from mlsteps.pipeline import Pipeline
    from mlsteps.runs import PipelineRun
    from mlsteps.workspace import Workspace


class PipelineEndpoint(EndpointView):
    """One name, address and DAG for the versions of a pipeline: ``endpoint.<name>`` is the default version.

    Made by :meth:`publish`, found by :meth:`get` and :meth:`list`.
    (SDK v1: ``azureml.pipeline.core.PipelineEndpoint``.)

    :param pipeline_version_list: Its versions, as PipelineIdVersion.
    """

    @staticmethod
    def publish(
        workspace: Workspace, name: str, description: str, pipeline: Pipeline | PublishedPipeline
    ) -> PipelineEndpoint:
        """A new endpoint, with a pipeline as its version "0"; one that is not published yet is published.

        :raises UserErrorException: another endpoint has the name.
        """
        if not is_text(name):
            raise UserErrorException(f"PipelineEndpoint.publish: the name is a text, got {name!r}.")
        if ENDPOINTS.named(workspace.record_store(), ENDPOINT_NAMES, None, name) is not None:
            raise _taken(workspace, name)
        first = _published(workspace, pipeline, name)
        versions = {"0": first.id}
        record = EndpointRecord(str(uuid4()), name, description or "", ACTIVE, "0", versions, utc_now())
        created = create_endpoint(workspace.record_store(), record)
        if created is None:
            raise _taken(workspace, name)
        return _of(workspace, created)

    @staticmethod
    def get(workspace: Workspace, id: str | None = None, name: str | None = None) -> PipelineEndpoint:
        """The endpoint with this id, or of this name.

        :raises WorkspaceException: there is none.
        :raises UserErrorException: neither is given.
        """
        store = workspace.record_store()
        if id is None and name is None:
            raise UserErrorException("PipelineEndpoint.get: give id or name.")
        record = ENDPOINTS.named(store, ENDPOINT_NAMES, id, name)
        if record is None:
            there = ", ".join(one.name for one in ENDPOINTS.list(store)) or "none"
            raise WorkspaceException(
                f"Workspace {workspace.name!r} has no pipeline endpoint {name or id!r}; it has {there}."
            )
        return _of(workspace, record)

    @staticmethod
    def list(
        workspace: Workspace, active_only: bool = True, max_results: int = 100
    ) -> builtins.list[PipelineEndpoint]:
        """The workspace's endpoints, the newest first.

        :param active_only: Leave disabled and archived ones out.
        :param max_results: At most so many.
        """
        records = ENDPOINTS.list(workspace.record_store())
        found = [record for record in records if record.status == ACTIVE or not active_only]
        return [_of(workspace, record) for record in found[:max_results]]

    @staticmethod
    def get_all(workspace: Workspace, active_only: bool = True) -> builtins.list[PipelineEndpoint]:
        """The same without a limit, as SDK v1 called it earlier."""
        return PipelineEndpoint.list(workspace, active_only, max_results=2**31)

    # Versions

    def add(self, pipeline: Pipeline | PublishedPipeline) -> None:
        """Add a pipeline as the next version; the default version stays."""
        self._add(pipeline, default=False)

    def add_default(self, pipeline: Pipeline | PublishedPipeline) -> None:
        """Add a pipeline as the next version, and make that the default one."""
        self._add(pipeline, default=True)

    def set_default_version(self, version: str) -> None:
        """Make a version the default one.

        :raises UserErrorException: there is no such version.
        """

        def change(record: EndpointRecord) -> EndpointRecord:
            id_of(record, version)
            return replace(record, default_version=str(version))

        self._change(change)

    def set_default(self, pipeline: PublishedPipeline) -> None:
        """Make the version that is this pipeline the default one.

        :raises UserErrorException: it is none of its versions.
        """

        def change(record: EndpointRecord) -> EndpointRecord:
            for version, id in record.versions.items():
                if id == pipeline.id:
                    return replace(record, default_version=version)
            raise UserErrorException(f"{pipeline!r} is no version of endpoint {record.name!r}: add() it.")

        self._change(change)

    # Life

    def enable(self) -> None:
        """Let it be run again."""
        self._change(lambda record: replace(record, status=ACTIVE))

    def disable(self) -> None:
        """Let nobody run it until :meth:`enable`. Its DAG is paused."""
        self._change(lambda record: replace(record, status=DISABLED))

    def set_name(self, name: str) -> None:
        """Give it another name, which is another DAG, too.

        :raises UserErrorException: another endpoint has the name.
        """
        store, before = self._workspace.record_store(), self._refreshed().name
        if not is_text(name) or not ENDPOINT_NAMES.take(store, name, self.id):
            raise _taken(self._workspace, name)
        self._change(lambda record: replace(record, name=name))
        if before != name:
            ENDPOINT_NAMES.give_back(store, before, self.id)

    def archive(self) -> None:
        """Disable it, take its DAG away, and let another endpoint have its name."""
        self._change(lambda record: replace(record, status=DISABLED, archived=True))
        self.set_name(str(uuid4()))

    def reactivate(self, name: str) -> None:
        """Let it be run again, under a name.

        :raises UserErrorException: another endpoint has the name.
        """
        self.set_name(name)
        self._change(lambda record: replace(record, status=ACTIVE, archived=False))

    def submit(
        self,
        experiment_name: str,
        pipeline_parameters: Mapping[str, Any] | None = None,
        parent_run_id: str | None = None,
        pipeline_version: str | None = None,
    ) -> PipelineRun:
        """Run a version now, in this process, to its end.

        :param pipeline_version: Default: the default one.
        :raises UserErrorException: it is disabled, or there is no such version.
        """
        if self._refreshed().status != ACTIVE:
            raise UserErrorException(f"{self!r} is disabled: enable() it, or reactivate(name).")
        pipeline = self.get_pipeline(pipeline_version)
        return pipeline.submit(self._workspace, experiment_name, pipeline_parameters, parent_run_id)

    def _add(self, pipeline: Pipeline | PublishedPipeline, *, default: bool) -> None:
        added = _published(self._workspace, pipeline, self.name)

        def change(record: EndpointRecord) -> EndpointRecord:
            version = str(len(record.versions))
            changed = replace(record, versions={**record.versions, version: added.id})
            return replace(changed, default_version=version) if default else changed

        self._change(change)


def _of(workspace: Workspace, record: EndpointRecord) -> PipelineEndpoint:
    endpoint = PipelineEndpoint.__new__(PipelineEndpoint)
    endpoint._workspace, endpoint._swaggerurl = workspace, None
    endpoint._take(record)
    return endpoint


def _published(workspace: Workspace, pipeline: Any, name: str) -> PublishedPipeline:
    """The pipeline, published if it is not yet."""
    if isinstance(pipeline, PublishedPipeline):
        # Of this workspace, and there.
        return PublishedPipeline.get(workspace, pipeline.id)
    if not hasattr(pipeline, "publish"):
        raise UserErrorException(
            f"A pipeline endpoint takes a Pipeline or PublishedPipeline, got {type(pipeline).__name__}."
        )
    made: PublishedPipeline = pipeline.publish(name=name)
    return made


def _taken(workspace: Workspace, name: object) -> UserErrorException:
    return UserErrorException(
        f"Workspace {workspace.name!r} has a pipeline endpoint called {name!r} already, or that is no name. "
        f"PipelineEndpoint.get(workspace, name={name!r}).add_default(pipeline) adds a version to it."
    )

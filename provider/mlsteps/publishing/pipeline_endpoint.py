"""PipelineEndpoint: one name for the versions of a pipeline, of which one is the default."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mlsteps.data.names import is_text
from mlsteps.exceptions import UserErrorException, WorkspaceException
from mlsteps.publishing.dag_ids import ENDPOINT, dag_id_of, trigger_url
from mlsteps.publishing.published_pipeline import PublishedPipeline
from mlsteps.publishing.versions import PipelineIdVersion, PipelineVersion
from mlsteps.records.pipeline_endpoints import (
    EndpointRecord,
    change_endpoint,
    create_endpoint,
    endpoint_called,
    give_name_back,
    list_endpoints,
    read_endpoint,
    take_name,
)
from mlsteps.records.published_pipelines import ACTIVE, DISABLED

if TYPE_CHECKING:
    from mlsteps.pipeline import Pipeline
    from mlsteps.runs import PipelineRun
    from mlsteps.workspace import Workspace


class PipelineEndpoint:
    """One name, address and DAG for the versions of a pipeline: ``endpoint.<name>`` is the default version.

    Made by :meth:`publish`, found by :meth:`get` and :meth:`list`.
    (SDK v1: ``azureml.pipeline.core.PipelineEndpoint``.)

    :param pipeline_version_list: Its versions, as PipelineIdVersion.
    """

    def __init__(
        self,
        workspace: Workspace,
        id: str,
        name: str,
        description: str,
        status: str,
        default_version: str,
        endpoint: str,
        pipeline_version_list: builtins.list[PipelineIdVersion],
        _pipeline_endpoint_provider: Any = None,
        _published_pipeline_provider: Any = None,
        _swaggerurl: str | None = None,
    ) -> None:
        self._workspace = workspace
        versions = {one.version: one.pipeline_id for one in pipeline_version_list}
        self._record = EndpointRecord(id, name, description, status, default_version, versions)
        self._endpoint = endpoint
        self._swaggerurl = _swaggerurl

    def __repr__(self) -> str:
        return (
            f"PipelineEndpoint(name={self.name!r}, id={self.id!r}, default_version={self.default_version!r}, "
            f"status={self.status!r})"
        )

    @staticmethod
    def publish(
        workspace: Workspace, name: str, description: str, pipeline: Pipeline | PublishedPipeline
    ) -> PipelineEndpoint:
        """A new endpoint, with a pipeline as its version "0"; one that is not published yet is published.

        :raises UserErrorException: another endpoint has the name.
        """
        if not is_text(name):
            raise UserErrorException(f"PipelineEndpoint.publish: the name is a text, got {name!r}.")
        if endpoint_called(workspace.record_store(), name) is not None:
            raise _taken(workspace, name)
        first = _published(workspace, pipeline, name)
        created = datetime.now(timezone.utc).isoformat(timespec="microseconds")
        record = EndpointRecord(str(uuid4()), name, description or "", ACTIVE, "0", {"0": first.id}, created)
        if not create_endpoint(workspace.record_store(), record):
            raise _taken(workspace, name)
        return _of(workspace, record)

    @staticmethod
    def get(workspace: Workspace, id: str | None = None, name: str | None = None) -> PipelineEndpoint:
        """The endpoint with this id, or of this name.

        :raises WorkspaceException: there is none.
        :raises UserErrorException: neither is given.
        """
        store = workspace.record_store()
        if id is None and name is None:
            raise UserErrorException("PipelineEndpoint.get: give id or name.")
        found = id if id is not None else endpoint_called(store, str(name))
        record = read_endpoint(store, found) if found else None
        if record is None or (name is not None and record.name != name):
            there = ", ".join(one.name for one in list_endpoints(store)) or "none"
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
        records = list_endpoints(workspace.record_store())
        found = [record for record in records if record.status == ACTIVE or not active_only]
        return [_of(workspace, record) for record in found[:max_results]]

    @staticmethod
    def get_all(workspace: Workspace, active_only: bool = True) -> builtins.list[PipelineEndpoint]:
        """The same without a limit, as SDK v1 called it earlier."""
        return PipelineEndpoint.list(workspace, active_only, max_results=2**31)

    # What it is

    @property
    def id(self) -> str:
        """Its id."""
        return self._record.id

    @property
    def name(self) -> str:
        """Its name, which no other endpoint has."""
        return self._record.name

    @property
    def description(self) -> str:
        """What was said of it."""
        return self._record.description

    @property
    def status(self) -> str:
        """``Active`` or ``Disabled``."""
        return self._record.status

    @property
    def default_version(self) -> str:
        """The version that runs where none is named."""
        return self._record.default_version

    @property
    def endpoint(self) -> str:
        """Where Airflow's REST API starts a run of the DAG ``endpoint.<name>``."""
        return self._endpoint

    @property
    def swaggerurl(self) -> str | None:
        """SDK v1's description of the address; Airflow has one of its own, below ``/docs``."""
        return self._swaggerurl

    @property
    def pipeline_version_list(self) -> builtins.list[PipelineIdVersion]:
        """Its versions, with the ids of their pipelines."""
        return [PipelineIdVersion(version, id) for version, id in self._record.versions.items()]

    def get_default_version(self) -> str:
        """The version that runs where none is named, as it is now."""
        return self._refreshed().default_version

    def get_pipeline(self, version: str | None = None) -> PublishedPipeline:
        """The pipeline of a version.

        :param version: Default: the default one.
        :raises UserErrorException: there is no such version.
        """
        record = self._refreshed()
        return PublishedPipeline.get(self._workspace, _id_of(record, version or record.default_version))

    def list_versions(self) -> builtins.list[PipelineVersion]:
        """Its versions with their pipelines, the first one first."""
        versions = self._refreshed().versions
        return [
            PipelineVersion(version, PublishedPipeline.get(self._workspace, id))
            for version, id in versions.items()
        ]

    def get_all_versions(self) -> builtins.list[PipelineVersion]:
        """The same as :meth:`list_versions`, as SDK v1 called it earlier."""
        return self.list_versions()

    def list_pipelines(self, active_only: bool = True) -> builtins.list[PublishedPipeline]:
        """The pipelines of its versions.

        :param active_only: Leave disabled ones out.
        """
        found = [one.pipeline for one in self.list_versions()]
        return [one for one in found if one.status == ACTIVE or not active_only]

    def get_all_pipelines(self, active_only: bool = True) -> builtins.list[PublishedPipeline]:
        """The same as :meth:`list_pipelines`, as SDK v1 called it earlier."""
        return self.list_pipelines(active_only)

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
            _id_of(record, version)
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
        if not is_text(name) or not take_name(store, name, self.id):
            raise _taken(self._workspace, name)
        self._change(lambda record: replace(record, name=name))
        if before != name:
            give_name_back(store, before, self.id)

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

    def _change(self, change: Callable[[EndpointRecord], EndpointRecord]) -> None:
        self._take(change_endpoint(self._workspace.record_store(), self.id, change))

    def _refreshed(self) -> EndpointRecord:
        record = read_endpoint(self._workspace.record_store(), self.id)
        if record is not None:
            self._take(record)
        return self._record

    def _take(self, record: EndpointRecord) -> None:
        self._record = record
        self._endpoint = trigger_url(dag_id_of(ENDPOINT, record.name))


def _of(workspace: Workspace, record: EndpointRecord) -> PipelineEndpoint:
    versions = [PipelineIdVersion(version, id) for version, id in record.versions.items()]
    return PipelineEndpoint(
        workspace,
        record.id,
        record.name,
        record.description,
        record.status,
        record.default_version,
        trigger_url(dag_id_of(ENDPOINT, record.name)),
        versions,
    )


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


def _id_of(record: EndpointRecord, version: object) -> str:
    found = record.versions.get(str(version))
    if found is None:
        raise UserErrorException(
            f"Endpoint {record.name!r} has no version {version!r}; it has {', '.join(record.versions)}."
        )
    return found


def _taken(workspace: Workspace, name: object) -> UserErrorException:
    return UserErrorException(
        f"Workspace {workspace.name!r} has a pipeline endpoint called {name!r} already, or that is no name. "
        f"PipelineEndpoint.get(workspace, name={name!r}).add_default(pipeline) adds a version to it."
    )

"""EndpointView: what a pipeline endpoint is, and the pipelines of its versions."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlsteps.exceptions import UserErrorException
from mlsteps.publishing.dag_ids import dag_id_of, submit_url
from mlsteps.publishing.named import Named
from mlsteps.publishing.published_pipeline import PublishedPipeline
from mlsteps.publishing.versions import PipelineIdVersion, PipelineVersion
from mlsteps.records.pipeline_endpoints import ENDPOINTS, EndpointRecord
from mlsteps.records.published_pipelines import ACTIVE
from mlsteps.runs.dag_ids import ENDPOINT

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace


class EndpointView(Named[EndpointRecord]):
    """The reading half of a :class:`~mlsteps.PipelineEndpoint`."""

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

    # What it is

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
        """Where a REST client starts a run of the default version, as :attr:`PublishedPipeline.endpoint`."""
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
        return PublishedPipeline.get(self._workspace, id_of(record, version or record.default_version))

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

    def _change(self, change: Callable[[EndpointRecord], EndpointRecord]) -> None:
        self._take(ENDPOINTS.change(self._workspace.record_store(), self.id, change))

    def _refreshed(self) -> EndpointRecord:
        record = ENDPOINTS.read(self._workspace.record_store(), self.id)
        if record is not None:
            self._take(record)
        return self._record

    def _take(self, record: EndpointRecord) -> None:
        self._record = record
        self._endpoint = submit_url(dag_id_of(ENDPOINT, record.name), "PipelineEndpointSubmit/Id", record.id)


def id_of(record: EndpointRecord, version: object) -> str:
    """The id of the pipeline of a version.

    :raises UserErrorException: there is no such version.
    """
    found = record.versions.get(str(version))
    if found is None:
        raise UserErrorException(
            f"Endpoint {record.name!r} has no version {version!r}; it has {', '.join(record.versions)}."
        )
    return found

"""What a step tells OpenLineage when it has ended: its data by their real places, and its code.

Imported only when the OpenLineage provider asks, which is the one that brings what is imported here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlsteps.asset_uris import NAMESPACE, dataset_name, file_format, logical_name, output_uri
from mlsteps.steps.uris import uris_at, uris_of_data

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors.base import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import DatasetFacet, JobFacet

    from mlsteps.records import StepRecord
    from mlsteps.steps.base import PipelineStep
    from mlsteps.steps.journal import StepJournal
    from mlsteps.steps.resolving import ResolvedStep


@dataclass(frozen=True)
class Progress:
    """How far a try has come, for whoever asks when it has ended, well or not.

    :param resolved: What it reads.
    :param journal: Its record, to which the outputs are added.
    """

    resolved: ResolvedStep
    journal: StepJournal

    def lineage(self) -> OperatorLineage[Any, Any]:
        """Its data and code, as the OpenLineage provider wants them."""
        from airflow.providers.openlineage.extractors.base import OperatorLineage

        record = self.journal.record
        return OperatorLineage(
            inputs=self._inputs(record),
            outputs=_outputs(self.resolved.step, record),
            job_facets=_code(record.source),
        )

    def _inputs(self, record: StepRecord) -> list[InputDataset]:
        from openlineage.client.event_v2 import InputDataset
        from openlineage.client.facet_v2 import input_statistics_input_dataset

        found = []
        for given in self.resolved.inputs:
            url = given.store.url(given.path)
            data = record.inputs.get(given.port.name, {})
            made = self.resolved.step.upstream_outputs.get(given.port.name, given.port.source)
            namespace, name = dataset_name(url)
            statistics = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
                size=data.get("bytes"), fileCount=data.get("files")
            )
            found.append(
                InputDataset(
                    namespace,
                    name,
                    facets=_facets(url, data.get("digest"), uris_of_data(made)),
                    inputFacets={"inputStatistics": statistics},
                )
            )
        return found


def _outputs(step: PipelineStep, record: StepRecord) -> list[OutputDataset]:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset

    found = []
    for output in record.outputs.values():
        namespace, name = dataset_name(output["url"])
        dag_id, _, task_id, *_ = output["producer"]
        statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            size=output["bytes"], fileCount=output["files"]
        )
        logical = [
            output_uri(dag_id, task_id, output["name"]),
            *uris_at(step, output["name"], output["path"]),
        ]
        found.append(
            OutputDataset(
                namespace,
                name,
                facets=_facets(output["url"], output["digest"], logical),
                outputFacets={"outputStatistics": statistics},
            )
        )
    return found


def _facets(url: str, digest: str | None, logical: Iterable[str]) -> dict[str, DatasetFacet]:
    """What there is to say of data at a place.

    :param logical: The URIs of its assets. An output's place is a new one in each run, its name is not.
    """
    from openlineage.client import facet_v2
    from openlineage.client.facet_v2 import symlinks_dataset

    namespace, _ = dataset_name(url)
    layer = namespace.partition(":")[0]
    facets: dict[str, DatasetFacet] = {
        "dataSource": facet_v2.datasource_dataset.DatasourceDatasetFacet(name=namespace, uri=namespace),
        "storage": facet_v2.storage_dataset.StorageDatasetFacet(
            storageLayer=layer, fileFormat=file_format(url)
        ),
    }
    if digest:
        version = facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=digest)
        facets["version"] = version
    names = [
        symlinks_dataset.Identifier(namespace=NAMESPACE, name=logical_name(uri), type=uri.split("/")[2])
        for uri in logical
    ]
    if names:
        facets["symlinks"] = symlinks_dataset.SymlinksDatasetFacet(identifiers=names)
    return facets


def _code(source: Mapping[str, Any]) -> dict[str, JobFacet]:
    """The commit of the source directory, where it is in a git checkout."""
    from openlineage.client.facet_v2 import source_code_location_job

    commit = source.get("git", {}).get("commit")
    if not commit:
        return {}
    place = source_code_location_job.SourceCodeLocationJobFacet(
        type="git",
        url=f"file://{source['directory']}",
        version=commit,
        branch=source["git"].get("branch") or None,
    )
    return {"sourceCodeLocation": place}

"""URIs of the assets of a step's inputs and outputs, for Airflow's lists and for OpenLineage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from mlsteps.asset_uris import fits, output_uri
from mlsteps.data import (
    DataReference,
    DatasetConsumptionConfig,
    OutputFileDatasetConfig,
    PortDataReference,
)
from mlsteps.steps.parameter_texts import holds_parameter
from mlsteps.steps.places import place_uri, uri_of_place, uris_of_dataset

if TYPE_CHECKING:
    from airflow.sdk import XComArg

    from mlsteps.steps.base import PipelineStep
    from mlsteps.steps.ports import InputPort, OutputPort


def output_uris(dag_id: str, task_id: str, ports: Iterable[OutputPort]) -> Iterator[str]:
    """Of all outputs of a step."""
    for port in ports:
        yield from uris_of_output(dag_id, task_id, port)


def uris_of_output(dag_id: str, task_id: str, port: OutputPort) -> Iterator[str]:
    """Of one output: its own, and that of the fixed place where it lies."""
    yield from filter(fits, [output_uri(dag_id, task_id, port.name)])
    if isinstance(port.data, OutputFileDatasetConfig):
        yield from _uris_of_place(port.data, port.name)


def _uris_of_place(data: OutputFileDatasetConfig, output: str) -> Iterator[str]:
    if data.datastore and "{run-id}" not in data.path and not holds_parameter(data.path):
        path = data.path.replace("{output-name}", output)
        yield from filter(fits, [place_uri(data.datastore.workspace, data.datastore.declared_name, path)])


def input_uris(dag_id: str, ports: Iterable[InputPort], made: Mapping[str, XComArg]) -> Iterator[str]:
    """Of all inputs of a step.

    :param made: What earlier steps make of them, by port name.
    """
    for port in ports:
        reference = made.get(port.name)
        if reference is not None:
            for maker, key in reference.iter_references():
                yield output_uri(dag_id, maker.task_id, key)
        elif isinstance(port.source, DatasetConsumptionConfig):
            yield from filter(fits, uris_of_dataset(port.source))
        else:
            yield from uris_of_data(port.source)


def uris_of_data(data: object) -> Iterator[str]:
    """The asset's URI of data that was made before, or that lies at a place; none of anything else."""
    if isinstance(data, PortDataReference):
        yield output_uri(data.producer.dag_id, data.producer.task_id, data.name)
    elif isinstance(data, DataReference):
        yield from uris_of_places([data])


def uris_of_places(places: Iterable[DataReference]) -> Iterator[str]:
    """Of data at fixed places; those that have none, or that Airflow could not store, are left out."""
    return filter(fits, (uri for uri in map(uri_of_place, places) if uri is not None))


def uris_at(step: PipelineStep, output: str, path: str) -> Iterator[str]:
    """The assets' URIs of the fixed place that an output lies at.

    :param path: Where it lies in this run: a file that was copied to a folder lies below the place.
    """
    for port in step.output_ports:
        data = port.data
        if port.name == output and isinstance(data, OutputFileDatasetConfig):
            yield from _uris_of_place(data, output)
    yield from uris_of_places(place for place in step.places_written if place.path_on_datastore == path)

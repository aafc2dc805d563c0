"""Publish: a script's outputs become references, each with its manifest on the record store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlsteps.data import PipelineData, PortDataReference
from mlsteps.exceptions import DataNotFoundException

if TYPE_CHECKING:
    from mlsteps.compute import JobOutcome
    from mlsteps.steps.attempt import Attempt
    from mlsteps.steps.binding import BoundStep


def publish(attempt: Attempt, bound: BoundStep, outcome: JobOutcome) -> dict[str, PortDataReference]:
    """References to all outputs, by port name. The manifest is written before the reference exists.

    :raises DataNotFoundException: an output is a file where a folder was declared, or the other way round.
    """
    for port in attempt.step.output_ports:
        _check_kind(attempt.step.name, port.name, port.data, outcome.manifests[port.name].kind)
    references = {}
    for output in bound.job.outputs:
        manifest = outcome.manifests[output.name]
        manifest_path = f"{attempt.folder}/manifests/{output.name}.json"
        attempt.records.write(manifest_path, manifest.to_json().encode())
        references[output.name] = PortDataReference.of_manifest(
            output.name,
            attempt.workspace.locator,
            output.datastore,
            outcome.places.get(output.name, output.path),
            manifest,
            attempt.producer,
            manifest_path,
        )
    return references


def _check_kind(step: str, name: str, data: object, kind: str) -> None:
    wanted = data.is_directory if isinstance(data, PipelineData) else None
    if wanted is not None and wanted != (kind == "directory"):
        raise DataNotFoundException(
            f"Step {step!r}, output {name!r}: the script made a {kind}, but is_directory={wanted} was "
            f"declared."
        )

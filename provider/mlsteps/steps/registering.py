"""Outputs that become registered datasets when their step has made them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlsteps.steps.parameter_texts import filled

if TYPE_CHECKING:
    from mlsteps.data import PortDataReference
    from mlsteps.steps.attempt import Attempt


def register_outputs(
    attempt: Attempt, references: Mapping[str, PortDataReference], values: Mapping[str, str]
) -> None:
    """Register each output that was declared with ``register_on_complete`` as a new version.

    What a reused step made is registered already. A step that is tried again after a kill makes its outputs
    at another place, so no version is of half an output.

    :param values: What stands for the tokens of parameters in names.
    """
    for port in attempt.step.output_ports:
        if port.registration is None:
            continue
        from mlsteps.data.datasets import dataset_of
        from mlsteps.data.datasets.reading import definition_at

        reference, wanted = references[port.name], port.registration
        definition = definition_at(reference.datastore_name, reference.path_on_datastore, port.reader)
        name = filled(wanted.name, values)
        registered = dataset_of(definition, attempt.workspace).register(
            attempt.workspace, name, wanted.description, wanted.tags, create_new_version=True
        )
        attempt.step.log.info("Output %s is version %s of dataset %s.", port.name, registered.version, name)

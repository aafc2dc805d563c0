"""Outputs that a cluster wrote straight to their places: listed there, as they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlsteps.compute.job import JobOutput
from mlsteps.compute.transfer import manifest_of
from mlsteps.launcher.manifest import Manifest


def manifests_of(outputs: Sequence[JobOutput]) -> dict[str, Manifest]:
    """What there is of each output, by name; without those that nobody has made."""
    found = {}
    for output in outputs:
        paths = [info.below(output.path) for info in output.store.list(output.path)]
        if paths:
            found[output.name] = manifest_of(output.store, output.path, paths)
        elif output.create_directory:  # it may stay empty
            found[output.name] = Manifest.of("directory", ())
    return found


def missing(outputs: Sequence[JobOutput], manifests: Mapping[str, Manifest]) -> list[JobOutput]:
    """Outputs that were declared and not made."""
    return [output for output in outputs if output.name not in manifests]

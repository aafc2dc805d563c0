"""Which kinds of compute targets there are; a new kind is one new file, and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from mlsteps.compute.base import ComputeTarget
from mlsteps.exceptions import ComputeTargetException

KINDS: dict[str, tuple[str, str]] = {
    "local": ("mlsteps.compute.local", "LocalCompute"),
    "docker": ("mlsteps.compute.docker", "DockerCompute"),
    "remote": ("mlsteps.compute.remote", "RemoteCompute"),
    "kubernetes": ("mlsteps.compute.kubernetes", "KubernetesCompute"),
    "amlcompute": ("mlsteps.compute.aml_compute", "AmlCompute"),
    "databricks": ("mlsteps.compute.databricks", "DatabricksCompute"),
    "datafactory": ("mlsteps.compute.data_factory", "DataFactoryCompute"),
}
"""``type`` in a workspace's settings -> module and class; the module is imported when one is asked for."""


def kind_of(type_name: object, where: str) -> type[ComputeTarget]:
    """The class of a type.

    :param where: What has this type, for errors.
    :raises ComputeTargetException: there is none; the text names those there are.
    """
    found = KINDS.get(str(type_name).lower())
    if found is None:
        raise ComputeTargetException(
            f"{where} has the unknown type {type_name!r}; known: {', '.join(KINDS)}."
        )
    module, name = found
    kind: type[ComputeTarget] = getattr(import_module(module), name)
    return kind


def create_compute_target(
    name: str,
    settings: Mapping[str, Any],
    *,
    aml_compute: Mapping[str, Any] | None = None,
    vm_sizes: Mapping[str, Mapping[str, Any]] | None = None,
) -> ComputeTarget:
    """The compute target that settings describe.

    :param settings: ``type`` and the settings of that kind of compute, as ``describe()`` gives them.
    :param aml_compute: The settings of what stands for an AmlCompute that says nothing of it.
    :param vm_sizes: Sizes of machines that the workspace adds.
    :raises ComputeTargetException: an unknown type or setting; the text names what there is.
    """
    options = {key: value for key, value in settings.items() if (key, value) != ("name", name)}
    kind = kind_of(options.pop("type", None), f"Compute target {name!r}")
    if kind.kind == "amlcompute":
        options = {"backend": aml_compute, **options, "vm_sizes": vm_sizes or {}}
    try:
        return kind.from_settings(name, options)
    except TypeError as error:
        raise ComputeTargetException(f"Compute target {name!r}: {error}") from error

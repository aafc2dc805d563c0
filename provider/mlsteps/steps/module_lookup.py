"""Which version of which module a step runs: as a DAG file says it, and as the registry has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlsteps.data.names import is_text
from mlsteps.exceptions import MlstepsException, StepDefinitionError
from mlsteps.launcher.strict_json import Fields
from mlsteps.records.modules import (
    DEPRECATED,
    MODULES,
    ModuleRecord,
    ModuleVersionRecord,
    find_module,
    highest_version,
    meant_version,
    read_version,
    version_id,
    versions_of_module,
)
from mlsteps.records.published_pipelines import ACTIVE, DISABLED
from mlsteps.steps.module_content import ModuleContent

if TYPE_CHECKING:
    from mlsteps.data.stores import Store
    from mlsteps.steps.base import PipelineStep
    from mlsteps.workspace import Workspace


@dataclass(frozen=True)
class WantedModule:
    """What a step was told: a module and perhaps a version, or a version by its id.

    :param label: What the step is called if nobody says.
    :param workspace: Whose module it is, where that is known.
    """

    label: str
    module: str | None = None
    version: str | None = None
    version_id: str | None = None
    workspace: Workspace | None = None

    @classmethod
    def of(cls, step: str, module: Any, version: Any, module_version: Any) -> WantedModule:
        """What the arguments of a step say. Asks nothing of anybody.

        :raises StepDefinitionError: they do not say which one, or name two.
        """
        if (module is None) == (module_version is None):
            raise StepDefinitionError(
                step, "module", "either 'module' or 'module_version' says what is run", "Give one of them."
            )
        if module is None and version is not None:
            raise StepDefinitionError(
                step, "version", "it is that of a module, and 'module_version' is a version already"
            )
        if is_text(module_version):
            return cls(module_version, version_id=module_version)
        if is_text(module):
            return cls(module, module, None if version is None else str(version))
        if hasattr(module_version, "module_version_id"):
            of_version = module_version
            return cls(
                of_version.module_name,
                version_id=of_version.module_version_id,
                workspace=of_version.workspace,
            )
        if hasattr(module, "module_version_list"):
            wanted = None if version is None else str(version)
            return cls(module.name, module.id, wanted, workspace=module.workspace)
        argument, given = ("module", module) if module_version is None else ("module_version", module_version)
        raise StepDefinitionError(
            step, argument, f"expected a Module or its name, or a ModuleVersion, got {given!r}"
        )

    def find(self, step: PipelineStep, workspace: Workspace, begun_as: str | None = None) -> ModuleContent:
        """What it is now. Warns of what is deprecated.

        :param begun_as: The id of the version that this very try has begun with.
        :raises StepDefinitionError: there is none, or it is disabled; the text says what there is.
        """
        if self.workspace is not None and self.workspace != workspace:
            raise StepDefinitionError(
                step.name,
                "module",
                f"{self.label!r} is a module of {self.workspace!r}, and the step works in {workspace!r}",
                "Publish the module there.",
            )
        store = workspace.record_store()
        begun = read_version(store, begun_as) if begun_as else None
        if begun is not None:
            return content_of(begun)
        module, version = self._by_id(step, store) if self.version_id else self._by_name(step, store)
        _check_status(step, store, module, version)
        try:
            return content_of(version)
        except MlstepsException as error:
            raise StepDefinitionError(step.name, "module", str(error)) from error

    def _by_id(self, step: PipelineStep, store: Store) -> tuple[ModuleRecord, ModuleVersionRecord]:
        version = read_version(store, str(self.version_id))
        module = MODULES.read(store, version.module_id) if version else None
        if version is None or module is None:
            raise StepDefinitionError(
                step.name, "module_version", f"the workspace has no version {self.version_id!r} of a module"
            )
        return module, version

    def _by_name(self, step: PipelineStep, store: Store) -> tuple[ModuleRecord, ModuleVersionRecord]:
        module = find_module(store, str(self.module))
        if module is None:
            there = ", ".join(sorted(one.name for one in MODULES.list(store))) or "none"
            raise StepDefinitionError(
                step.name,
                "module",
                f"the workspace has no module {self.label!r}; it has {there}",
                "Module.create and publish_python_script make one.",
            )
        wanted = self.version or module.default_version
        if wanted is not None:
            found = read_version(store, version_id(module.id, wanted))
        else:
            found = highest_version(store, module.id)
        if found is not None:
            return module, found
        versions = versions_of_module(module.id).list(store)  # each of which is read
        found = meant_version(versions, None) if self.version is None else None
        if found is None:
            there = ", ".join(sorted(one.module_version for one in versions)) or "none"
            wanted = "enabled version" if self.version is None else f"version {self.version!r}"
            raise StepDefinitionError(
                step.name, "version", f"module {module.name!r} has no {wanted}; it has {there}"
            )
        return module, found


def content_of(version: ModuleVersionRecord) -> ModuleContent:
    """What a version in the registry is.

    :raises UserErrorException: it is damaged, or of a newer mlsteps.
    """
    fields = Fields(dict(version.content), f"{version.module_name} {version.module_version}")
    return ModuleContent.of(version.id, version.module_name, version.module_version, fields)


def _check_status(
    step: PipelineStep, store: Store, module: ModuleRecord, version: ModuleVersionRecord
) -> None:
    called = f"version {version.module_version!r} of module {module.name!r}"
    if module.status == DISABLED:
        raise StepDefinitionError(
            step.name, "module", f"module {module.name!r} is disabled", "Use another one, or enable() it."
        )
    if version.status == DISABLED:
        raise StepDefinitionError(
            step.name,
            "version",
            f"{called} is disabled",
            f"Use {_instead(store, module, version) or 'another module'}, or enable() it.",
        )
    if module.status == DEPRECATED:
        told = f": {module.description}" if module.description else ""
        step.log.warning("Step %r: module %r is deprecated%s", step.name, module.name, told)
    if version.status == DEPRECATED:
        instead = _instead(store, module, version)
        advice = f"use {instead}" if instead else "there is no other that is enabled"
        step.log.warning("Step %r: %s is deprecated, %s.", step.name, called, advice)


def _instead(store: Store, module: ModuleRecord, version: ModuleVersionRecord) -> str | None:
    """What to run instead of a version, in words."""
    versions = versions_of_module(module.id).list(store)
    active = [one for one in versions if one.status == ACTIVE and one.id != version.id]
    found = meant_version(active, module.default_version)
    return None if found is None else f"version {found.module_version!r}"

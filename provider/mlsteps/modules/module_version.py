"""ModuleVersion: one version of a module, whose code and interface never change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlsteps.data.port_defs import InputPortDef, OutputPortDef, ParamDef
from mlsteps.exceptions import UserErrorException, WorkspaceException
from mlsteps.modules.registered import Registered
from mlsteps.records.modules import ModuleVersionRecord, read_version, versions_of_module
from mlsteps.steps.module_lookup import content_of

if TYPE_CHECKING:
    from mlsteps.environment import RunConfiguration
    from mlsteps.modules.module import Module
    from mlsteps.workspace import Workspace


@dataclass(frozen=True)
class ModuleVersionDescriptor:
    """A version of a module by its id. (SDK v1: ``azureml.pipeline.core.ModuleVersionDescriptor``.)"""

    version: str
    module_version_id: str


@dataclass(frozen=True)
class ModuleInterface:
    """What a version of a module reads and makes, and its parameters."""

    inputs: tuple[InputPortDef, ...]
    outputs: tuple[OutputPortDef, ...]
    parameters: tuple[ParamDef, ...]


class ModuleVersion(Registered[ModuleVersionRecord]):
    """A version of a module: a script with the code that it had when it was published.

    Made by ``Module.publish_python_script``, found by :meth:`get` and ``Module.resolve``.

    :param module_entity: As the registry has it.
    :param version: What it is called.

    (SDK v1: ``azureml.pipeline.core.ModuleVersion``.)
    """

    def __init__(
        self,
        workspace: Workspace,
        module_entity: ModuleVersionRecord,
        version: str,
        _module_version_provider: Any = None,
    ) -> None:
        self.workspace = workspace
        self.record = module_entity
        self._version = version

    def __repr__(self) -> str:
        return f"ModuleVersion(module={self.module_name!r}, version={self.version!r}, status={self.status!r})"

    @staticmethod
    def get(workspace: Workspace, module_version_id: str | None = None) -> ModuleVersion:
        """The version with this id.

        :raises WorkspaceException: the workspace has none.
        :raises UserErrorException: no id is given.
        """
        if module_version_id is None:
            raise UserErrorException("ModuleVersion.get: give module_version_id.")
        record = read_version(workspace.record_store(), module_version_id)
        if record is None:
            raise WorkspaceException(
                f"Workspace {workspace.name!r} has no version {module_version_id!r} of a module. "
                f"Module.get(workspace, name=...).module_version_list() says which one has."
            )
        return ModuleVersion(workspace, record, record.module_version)

    # What it is

    @property
    def module_version_id(self) -> str:
        """Its id."""
        return self.record.id

    @property
    def module_id(self) -> str:
        """The id of its module."""
        return self.record.module_id

    @property
    def module_name(self) -> str:
        """What its module was called when it was published."""
        return self.record.module_name

    @property
    def version(self) -> str:
        """What it is called."""
        return self._version

    @property
    def category(self) -> str | None:
        """Where its publisher has put it."""
        return self.record.category

    @property
    def interface(self) -> ModuleInterface:
        """What it reads and makes, and its parameters."""
        content = content_of(self.record)
        return ModuleInterface(content.inputs, content.outputs, content.params)

    @property
    def runconfig(self) -> RunConfiguration | None:
        """What it was published with, for steps that have none of their own."""
        return content_of(self.record).run_configuration

    def module(self) -> Module:
        """The module that it is a version of."""
        from mlsteps.modules.module import Module

        return Module.get(self.workspace, module_id=self.module_id)

    def _change(self, change: Callable[[ModuleVersionRecord], ModuleVersionRecord]) -> None:
        versions = versions_of_module(self.module_id)
        self.record = versions.change(self.workspace.record_store(), self.record.id, change)

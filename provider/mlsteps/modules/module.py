"""Module: a script that pipelines of a workspace share, in versions."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mlsteps.data.names import is_text
from mlsteps.exceptions import UserErrorException, WorkspaceException
from mlsteps.modules.module_version import ModuleVersion, ModuleVersionDescriptor
from mlsteps.modules.publishing import PublishingModule
from mlsteps.records.modules import (
    MODULE_NAMES,
    MODULES,
    ModuleRecord,
    create_module,
    meant_version,
)
from mlsteps.records.published_pipelines import ACTIVE
from mlsteps.run.journal import utc_now

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace


class Module(PublishingModule):
    """A script that pipelines share: its versions lie in the workspace's registry, with their code.

    >>> module = Module.create(workspace, "normalise", "Scales columns")
    >>> module.publish_python_script("normalise.py", "first", inputs=[raw], outputs=[scaled], version="1")
    >>> step = ModuleStep(module="normalise", inputs_map={"raw": raw}, outputs_map={"scaled": scaled})

    Made by :meth:`create`, found by :meth:`get`.

    :param module_version_list: Its versions, as ModuleVersionDescriptors.

    (SDK v1: ``azureml.pipeline.core.Module``.)
    """

    def __init__(
        self,
        workspace: Workspace,
        module_id: str,
        name: str,
        description: str,
        status: str,
        default_version: str | None,
        module_version_list: Sequence[ModuleVersionDescriptor] | None = None,
        _module_provider: Any = None,
        _module_version_provider: Any = None,
    ) -> None:
        self.workspace = workspace
        self.record = ModuleRecord(module_id, name, description, status, "", default_version)

    def __repr__(self) -> str:
        return f"Module(name={self.name!r}, id={self.id!r}, status={self.status!r})"

    @staticmethod
    def create(workspace: Workspace, name: str, description: str, _workflow_provider: Any = None) -> Module:
        """A new module, without a version.

        :raises UserErrorException: another module has the name.
        """
        if not is_text(name):
            raise UserErrorException(f"Module.create: the name is a text, got {name!r}.")
        record = ModuleRecord(str(uuid4()), name, description or "", ACTIVE, utc_now())
        created = create_module(workspace.record_store(), record)
        if created is None:
            raise _taken(workspace, name)
        return _of(workspace, created)

    @staticmethod
    def get(
        workspace: Workspace,
        module_id: str | None = None,
        name: str | None = None,
        _workflow_provider: Any = None,
    ) -> Module:
        """The module with this id, or of this name. Reads the registry: a step in a DAG file takes a name.

        :raises WorkspaceException: there is none.
        :raises UserErrorException: neither is given.
        """
        store = workspace.record_store()
        if module_id is None and name is None:
            raise UserErrorException("Module.get: give module_id or name.")
        record = MODULES.named(store, MODULE_NAMES, module_id, name)
        if record is None:
            there = ", ".join(sorted(one.name for one in MODULES.list(store))) or "none"
            raise WorkspaceException(
                f"Workspace {workspace.name!r} has no module {name or module_id!r}; it has {there}."
            )
        return _of(workspace, record)

    @staticmethod
    def get_versions(
        workspace: Workspace, name: str, _workflow_provider: Any = None
    ) -> builtins.list[ModuleVersionDescriptor]:
        """The versions of the module of this name, the first one first."""
        return Module.get(workspace, name=name).module_version_list()

    # What it is

    @property
    def id(self) -> str:
        """Its id."""
        return self.record.id

    @property
    def name(self) -> str:
        """Its name, which no other module has."""
        return self.record.name

    @property
    def default_version(self) -> str | None:
        """The version that is meant where none is named; None is the highest one."""
        return self.record.default_version

    def get_default_version(self) -> str | None:
        """The same, as it is now."""
        self.record = MODULES.read(self.workspace.record_store(), self.id) or self.record
        return self.default_version

    def get_default(self) -> ModuleVersion:
        """The version that is meant where none is named.

        :raises WorkspaceException: it has none that is enabled.
        """
        return self.resolve()

    def module_version_list(self) -> builtins.list[ModuleVersionDescriptor]:
        """Its versions, the first one first."""
        return [ModuleVersionDescriptor(one.module_version, one.id) for one in reversed(self._versions())]

    def resolve(self, version: str | None = None) -> ModuleVersion:
        """The version of this name, else the default one, else the highest that is not disabled.

        A :class:`~mlsteps.ModuleStep` that names a version which there is not takes no other one.

        :raises WorkspaceException: it has none that is enabled.
        """
        versions = self._versions()
        named = (one for one in versions if version is not None and one.module_version == str(version))
        found = next(named, None) or meant_version(versions, self.get_default_version())
        if found is None:
            raise WorkspaceException(f"{self!r} has no version that is enabled.")
        return ModuleVersion(self.workspace, found, found.module_version)

    # What can be changed

    def set_name(self, name: str) -> None:
        """Give it another name.

        :raises UserErrorException: another module has it.
        """
        store, before = self.workspace.record_store(), self.name
        if not is_text(name) or not MODULE_NAMES.take(store, name, self.id):
            raise _taken(self.workspace, name)
        self._change(lambda record: replace(record, name=name))
        if before != name:
            MODULE_NAMES.give_back(store, before, self.id)


def _of(workspace: Workspace, record: ModuleRecord) -> Module:
    module = Module.__new__(Module)
    module.workspace, module.record = workspace, record
    return module


def _taken(workspace: Workspace, name: object) -> UserErrorException:
    return UserErrorException(
        f"Workspace {workspace.name!r} has a module called {name!r} already, or that is no name. "
        f"Module.get(workspace, name={name!r}) finds it."
    )

"""The publishing half of a module: new versions, and which of them is the default one."""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mlsteps.exceptions import UserErrorException
from mlsteps.modules.content import Declared
from mlsteps.modules.module_version import ModuleVersion
from mlsteps.modules.registered import Registered
from mlsteps.records.modules import (
    MODULES,
    ModuleRecord,
    ModuleVersionRecord,
    next_version,
    version_id,
    versions_of_module,
)
from mlsteps.records.published_pipelines import ACTIVE
from mlsteps.run.journal import utc_now

if TYPE_CHECKING:
    from mlsteps.data.port_defs import ParamDef
    from mlsteps.environment import RunConfiguration
    from mlsteps.steps.module_content import ModuleContent
    from mlsteps.workspace import Workspace


class PublishingModule(Registered[ModuleRecord]):
    """What publishes versions of a :class:`~mlsteps.Module`."""

    workspace: Workspace

    def publish_python_script(
        self,
        script_name: str,
        description: str,
        inputs: Sequence[Any] | None,
        outputs: Sequence[Any] | None,
        params: Mapping[str, Any] | None = None,
        create_sequencing_ports: bool = True,
        version: str | None = None,
        is_default: bool = False,
        source_directory: str | os.PathLike[str] | None = None,
        hash_paths: Sequence[str] | None = None,
        category: str | None = None,
        arguments: Sequence[Any] | None = None,
        runconfig: RunConfiguration | None = None,
    ) -> ModuleVersion:
        """A new version: a script, with the code that is in its folder now.

        :param script_name: The script, relative to ``source_directory``.
        :param inputs: What it reads, as InputPortDefs or bindings.
        :param outputs: What it makes, as OutputPortDefs, bindings or PipelineData.
        :param params: Its parameters with their defaults: variables ``AML_PARAMETER_<name>``.
        :param create_sequencing_ports: Accepted for SDK v1; every step can be given an order.
        :param version: What it is called; default: the next whole number.
        :param is_default: Whether steps that name no version take this one.
        :param source_directory: Default: the folder of the file that calls, else the working directory.
        :param hash_paths: Further files or folders whose content counts for reuse.
        :param category: For people.
        :param arguments: The script's arguments, for steps that give none: texts, numbers, these inputs and
            outputs, PipelineParameters, which become parameters of the module.
        :param runconfig: Environment, variables and limits, for steps that give none.
        :raises UserErrorException: an argument is wrong, or there is such a version.
        :raises SnapshotException: the code cannot be read.
        """
        declared = Declared(
            self.record.name,
            script_name,
            source_directory,
            inputs,
            outputs,
            params,
            arguments,
            runconfig,
            hash_paths,
        )
        content = declared.frozen(self.workspace)
        return self._publish(content, description, category, version, is_default=is_default)

    def publish(
        self,
        description: str,
        execution_type: str,
        inputs: Sequence[Any] | None,
        outputs: Sequence[Any] | None,
        param_defs: Sequence[ParamDef] | None = None,
        create_sequencing_ports: bool = True,
        version: str | None = None,
        is_default: bool = False,
        content_path: str | os.PathLike[str] | None = None,
        hash_paths: Sequence[str] | None = None,
        category: str | None = None,
        arguments: Sequence[Any] | None = None,
        runconfig: RunConfiguration | None = None,
    ) -> ModuleVersion:
        """As :meth:`publish_python_script`, which is the way to say it.

        :param execution_type: Accepted for SDK v1: what runs is a Python script.
        :param param_defs: Its parameters.
        :param content_path: The script, or the folder with it: then ``runconfig.script`` or a parameter
            ``Script`` names it.
        :raises UserErrorException: nothing names a script.
        """
        named = next((one.default_value for one in param_defs or () if one.name == "Script"), None)
        script, folder = named or getattr(runconfig, "script", None), content_path
        if script is None and content_path is not None and Path(content_path).suffix == ".py":
            script, folder = Path(content_path).name, Path(content_path).absolute().parent
        if script is None:
            raise UserErrorException(
                f"Module {self.record.name!r}, argument 'content_path': it is no script, and nothing names "
                f"one. Use publish_python_script(script_name, ...)."
            )
        declared = Declared(
            self.record.name,
            str(script),
            folder,
            inputs,
            outputs,
            param_defs,
            arguments,
            runconfig,
            hash_paths,
        )
        content = declared.frozen(self.workspace)
        return self._publish(content, description, category, version, is_default=is_default)

    def _publish(
        self,
        content: ModuleContent,
        description: str,
        category: str | None,
        version: str | None,
        *,
        is_default: bool,
    ) -> ModuleVersion:
        store, versions = self.workspace.record_store(), versions_of_module(self.record.id)
        while True:
            called = next_version(self._versions()) if version is None else str(version)
            record = ModuleVersionRecord(
                version_id(self.record.id, called),
                self.record.id,
                self.record.name,
                called,
                utc_now(),
                ACTIVE,
                description or "",
                category,
                content.to_plain(),
            )
            if versions.create(store, record):
                break
            if version is not None:
                raise UserErrorException(
                    f"Module {self.record.name!r}, argument 'version': there is a version {called!r}, and a "
                    f"version never changes. Give another, or none for the next number."
                )
        if is_default:
            self.set_default_version(called)
        return ModuleVersion(self.workspace, record, called)

    def set_default_version(self, version_id: str) -> None:
        """Make a version the one that is meant where none is named.

        :param version_id: The version, such as ``"2"``.
        :raises UserErrorException: there is no such version.
        """
        there = [one.module_version for one in self._versions()]
        if str(version_id) not in there:
            known = ", ".join(sorted(there)) or "none"
            raise UserErrorException(f"{self!r} has no version {version_id!r}; it has {known}.")
        self._change(lambda record: replace(record, default_version=str(version_id)))

    def _versions(self) -> builtins.list[ModuleVersionRecord]:
        return versions_of_module(self.record.id).list(self.workspace.record_store())

    def _change(self, change: Callable[[ModuleRecord], ModuleRecord]) -> None:
        self.record = MODULES.change(self.workspace.record_store(), self.record.id, change)

    # Not offered

    def publish_adla_script(self, *args: Any, **kwargs: Any) -> NoReturn:
        """SDK v1's modules for Azure Data Lake Analytics, a service that is no more."""
        raise _not_offered("publish_adla_script", "Azure Data Lake Analytics is no more")

    def publish_azure_batch(self, *args: Any, **kwargs: Any) -> NoReturn:
        """SDK v1's modules for Azure Batch, which there are not."""
        raise _not_offered("publish_azure_batch", "there is no compute target for Azure Batch")


def _not_offered(method: str, why: str) -> UserErrorException:
    return UserErrorException(f"Module.{method}: {why}. Publish a Python script: publish_python_script.")

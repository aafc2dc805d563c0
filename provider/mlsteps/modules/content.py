"""What a version of a module is made of: declared ports, parameters and arguments, frozen code."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.data import InputPortBinding, OutputPortBinding, PipelineData, PipelineParameter
from mlsteps.data.names import is_text
from mlsteps.data.port_defs import InputPortDef, OutputPortDef, ParamDef
from mlsteps.definitions import Freezer
from mlsteps.definitions.kinds import CannotBeWritten
from mlsteps.environment import RunConfiguration
from mlsteps.exceptions import UserErrorException
from mlsteps.steps.declaration import declaring_file
from mlsteps.steps.directories import find_directory
from mlsteps.steps.module_content import ModuleContent
from mlsteps.steps.script_names import is_outside, with_slashes

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace


@dataclass(frozen=True)
class Declared:
    """A version of a module as its publisher declares it.

    :param module: The module's name, for errors.
    :param inputs: InputPortDefs, or bindings.
    :param outputs: OutputPortDefs, bindings or PipelineData.
    :param params: ParamDefs, or values by name.
    """

    module: str
    script_name: str
    source_directory: str | os.PathLike[str] | None
    inputs: Sequence[Any] | None
    outputs: Sequence[Any] | None
    params: Mapping[str, Any] | Sequence[ParamDef] | None
    arguments: Sequence[Any] | None
    runconfig: RunConfiguration | None
    hash_paths: Sequence[Any] | None

    def frozen(self, workspace: Workspace) -> ModuleContent:
        """All of it, with its code in the workspace.

        :raises UserErrorException: an argument is wrong; the text names it.
        :raises SnapshotException: the code cannot be read.
        """
        inputs = tuple(_input_def(self, port) for port in self.inputs or ())
        outputs = tuple(_output_def(self, port) for port in self.outputs or ())
        params, arguments = self._params(), []
        for value in self.arguments or ():
            argument = _reference(value)
            if isinstance(value, PipelineParameter):
                params.setdefault(value.name, ParamDef(value.name, value.form_default))
            arguments.append(argument if argument is not None else self._plain(value))
        self._check_names([port.name for port in inputs] + [port.name for port in outputs])
        self._check_references(arguments, inputs, outputs, params)
        script, directory, freezer = self._script(), self._directory(), Freezer(workspace)
        return ModuleContent(
            "",
            self.module,
            "",
            script,
            # Last, so that no code is stored of what cannot be published.
            runconfig=self._runconfig(freezer),
            code=freezer.code_in(self._with(script, directory), (), self.hash_paths),
            inputs=inputs,
            outputs=outputs,
            params=tuple(params.values()),
            arguments=tuple(arguments),
        )

    def refuse(self, argument: str, problem: str) -> UserErrorException:
        """The error for an argument."""
        return UserErrorException(f"Module {self.module!r}, argument {argument!r}: {problem}.")

    def _params(self) -> dict[str, ParamDef]:
        if isinstance(self.params, Mapping):
            return {name: ParamDef(name, value, set_env_var=True) for name, value in self.params.items()}
        return {one.name: one for one in self.params or ()}

    def _plain(self, value: Any) -> str:
        if isinstance(value, (str, int, float)) or hasattr(value, "__fspath__"):
            return str(value)
        raise self.refuse(
            "arguments",
            f"{value!r} is no text, number, PipelineParameter, InputPortDef or OutputPortDef",
        )

    def _check_names(self, names: Sequence[str]) -> None:
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise self.refuse("inputs", f"two inputs or outputs are called {twice!r}")

    def _check_references(
        self,
        arguments: Sequence[Any],
        inputs: Sequence[InputPortDef],
        outputs: Sequence[OutputPortDef],
        params: Mapping[str, ParamDef],
    ) -> None:
        known = {
            "input": {port.name for port in inputs},
            "output": {port.name for port in outputs},
            "parameter": set(params),
        }
        for argument in arguments:
            for kind, name in () if isinstance(argument, str) else argument.items():
                if name not in known[kind]:
                    raise self.refuse("arguments", f"{name!r} is no {kind} of the module: declare it")

    def _script(self) -> str:
        if is_text(self.script_name) and not is_outside(with_slashes(self.script_name)):
            return with_slashes(self.script_name)
        raise self.refuse(
            "script_name", f"expected a path inside of the source directory, got {self.script_name!r}"
        )

    def _directory(self) -> Path:
        file = declaring_file()
        base = Path(file).parent if file else Path.cwd()
        try:
            return base if self.source_directory is None else find_directory(self.source_directory, base)
        except FileNotFoundError as error:
            raise self.refuse("source_directory", str(error)) from None

    def _with(self, script: str, directory: Path) -> Path:
        if (directory / script).is_file():
            return directory
        raise self.refuse("script_name", f"script not found at {str(directory / script)!r}")

    def _runconfig(self, freezer: Freezer) -> dict[str, Any] | None:
        if self.runconfig is None:
            return None
        if not isinstance(self.runconfig, RunConfiguration):
            raise self.refuse("runconfig", f"expected a RunConfiguration, got {self.runconfig!r}")
        try:
            environment = freezer.environment(self.runconfig.environment)
        except CannotBeWritten as error:
            raise self.refuse("runconfig", f"{error.problem}. {error.fix}".rstrip(". ")) from error
        return {**self.runconfig.to_plain(), "environment": environment}


def _input_def(declared: Declared, port: Any) -> InputPortDef:
    if isinstance(port, InputPortDef):
        return port
    if isinstance(port, InputPortBinding):
        return InputPortDef(
            port.name, default_datastore_mode=port.bind_mode, default_path_on_compute=port.path_on_compute
        )
    raise declared.refuse("inputs", f"expected InputPortDefs, got {port!r}")


def _output_def(declared: Declared, port: Any) -> OutputPortDef:
    if isinstance(port, OutputPortDef):
        return port
    data = port.data if isinstance(port, OutputPortBinding) else port
    if isinstance(data, PipelineData):
        return OutputPortDef(
            data.output_name,
            data.datastore.declared_name if data.datastore else None,
            data.output_mode,
            data.output_path_on_compute,
            bool(data.is_directory),
        )
    raise declared.refuse("outputs", f"expected OutputPortDefs, got {port!r}")


def _reference(value: Any) -> dict[str, str] | None:
    """What an argument that is no text stands for."""
    if isinstance(value, PipelineParameter):
        return {"parameter": value.name}
    if isinstance(value, (InputPortDef, InputPortBinding)):
        return {"input": value.name}
    if isinstance(value, OutputPortBinding):
        value = value.data
    if isinstance(value, PipelineData):
        return {"output": value.output_name}
    return {"output": value.name} if isinstance(value, OutputPortDef) else None

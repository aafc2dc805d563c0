"""A step and the version of a module that it runs, put together: ports, parameters, arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlsteps.data import Datastore, InputPortBinding, PipelineData
from mlsteps.exceptions import StepDefinitionError
from mlsteps.steps.module_content import ModuleContent
from mlsteps.steps.parameters import parameter_variable
from mlsteps.steps.ports import InputPort, OutputPort, make_outputs

if TYPE_CHECKING:
    from mlsteps.data.port_defs import InputPortDef, OutputPortDef
    from mlsteps.workspace import Workspace


@dataclass(frozen=True)
class Wiring:
    """What a step gives to whatever module it runs.

    :param bare: Names of the input ports whose mode nobody has said.
    """

    step: str
    inputs: tuple[InputPort, ...]
    outputs: tuple[OutputPort, ...]
    bare: frozenset[str]

    def check(self, content: ModuleContent, params: Mapping[str, Any]) -> None:
        """Refuse what does not fit a module.

        :param params: Values of the step's own.
        :raises StepDefinitionError: an input or a value is missing, or the module has none of a name.
        """
        self._refuse_unknown("inputs_map", content, self.inputs, content.inputs)
        self._refuse_unknown("outputs_map", content, self.outputs, content.outputs)
        given = {port.name for port in self.inputs}
        missing = [port.name for port in content.inputs if port.name not in given and not port.is_optional]
        if missing:
            raise StepDefinitionError(
                self.step, "inputs_map", f"{content} reads {missing[0]!r}", "Map data to that port."
            )
        self.params_of(content, params)

    def inputs_of(self, content: ModuleContent) -> tuple[InputPort, ...]:
        """The step's inputs, as the module wants them."""
        known = {port.name: port for port in content.inputs}
        return tuple(self._with_mode(port, known[port.name]) for port in self.inputs)

    def _with_mode(self, port: InputPort, declared: InputPortDef) -> InputPort:
        if port.name not in self.bare:
            return port
        path = declared.default_path_on_compute
        is_copy = bool(path) or declared.default_datastore_mode == "download"
        return replace(port, mode="download" if is_copy else port.mode, path_on_compute=path)

    def outputs_of(self, content: ModuleContent, workspace: Workspace) -> tuple[OutputPort, ...]:
        """The step's outputs, and those of the module that nobody asked for, which its script makes too."""
        given = {port.name for port in self.outputs}
        others = [_made(port, workspace) for port in content.outputs if port.name not in given]
        return (*self.outputs, *make_outputs(self.step, others))

    def params_of(self, content: ModuleContent, given: Mapping[str, Any]) -> dict[str, Any]:
        """Values of the module's parameters: the step's, else defaults.

        :raises StepDefinitionError: one has no value, or the module has none of that name.
        """
        known = {param.name: param for param in content.params if not param.is_metadata_param}
        for name in given:
            if name not in known:
                raise self._unknown("params", content, name, known)
        values = {}
        for name, param in known.items():
            value = given.get(name, param.default_value)
            if value is None and not param.is_optional:
                raise StepDefinitionError(
                    self.step, "params", f"{content} has no default for {name!r}", "Give a value."
                )
            if value is not None:
                values[name] = value if name in given else str(value)
        return values

    def arguments_of(self, content: ModuleContent, outputs: Iterable[OutputPort]) -> list[Any]:
        """The module's own arguments, with the step's data in place."""
        tokens = {
            "input": {port.name: port.token for port in self.inputs},
            "output": {port.name: port.token for port in outputs},
            "parameter": {param.name: f"${parameter_variable(param.name)}" for param in content.params},
        }
        found = []
        for argument in content.arguments:
            if isinstance(argument, str):
                found.append(argument)
            else:
                ((kind, name),) = argument.items()
                found.append(tokens[kind].get(name, ""))  # an optional input that the step leaves out
        return found

    def _refuse_unknown(
        self, argument: str, content: ModuleContent, given: Iterable[Any], declared: Iterable[Any]
    ) -> None:
        known = [port.name for port in declared]
        for port in given:
            if port.name not in known:
                raise self._unknown(argument, content, port.name, known)

    def _unknown(
        self, argument: str, content: ModuleContent, name: str, known: Iterable[str]
    ) -> StepDefinitionError:
        there = ", ".join(known) or "none"
        return StepDefinitionError(
            self.step, argument, f"{content} has no {_WORDS[argument]} {name!r}; it has {there}"
        )


_WORDS = {"inputs_map": "input", "outputs_map": "output", "params": "parameter"}


def is_bare(port: InputPort, given: object) -> bool:
    """Whether nobody has said how an input reaches the script.

    :param given: What was mapped to the port.
    """
    return not isinstance(given, InputPortBinding) and isinstance(port.source, PipelineData)


def _made(port: OutputPortDef, workspace: Workspace) -> PipelineData:
    name = port.default_datastore_name
    return PipelineData(
        port.name,
        Datastore(workspace, name) if name else None,
        output_mode=port.default_datastore_mode or "mount",
        output_path_on_compute=port.default_path_on_compute,
        is_directory=True if port.is_directory else None,
    )

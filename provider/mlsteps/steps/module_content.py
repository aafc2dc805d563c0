"""ModuleContent: what a version of a module is, as the registry and definitions have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from mlsteps.data.port_defs import InputPortDef, OutputPortDef, ParamDef
from mlsteps.environment import RunConfiguration
from mlsteps.exceptions import UserErrorException
from mlsteps.launcher.strict_json import Fields
from mlsteps.reuse.frozen import FrozenCode

PYTHON_SCRIPT = "PythonScript"
"""The one kind of modules that there is."""

_REFERENCES = ("input", "output", "parameter")


@dataclass(frozen=True)
class ModuleContent:
    """A version of a module, whole: nothing that happens to the module later changes it.

    :param id: Of the version.
    :param name: The module's.
    :param version: The version's.
    :param script_name: The script, relative to the folder that its code was.
    :param arguments: Texts, and references such as ``{"input": "raw"}`` to what is declared.
    :param runconfig: In its plain form; None where there is none.
    """

    id: str
    name: str
    version: str
    script_name: str
    code: FrozenCode
    inputs: tuple[InputPortDef, ...] = ()
    outputs: tuple[OutputPortDef, ...] = ()
    params: tuple[ParamDef, ...] = ()
    arguments: tuple[str | Mapping[str, str], ...] = ()
    runconfig: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return f"version {self.version!r} of module {self.name!r}"

    def serialize(self) -> str:
        """The text that Airflow's Rendered Templates view shows."""
        return str(self)

    @cached_property
    def run_configuration(self) -> RunConfiguration | None:
        """Its environment, variables and limits, for steps that say nothing of these."""
        return None if self.runconfig is None else RunConfiguration.from_plain(self.runconfig)

    def to_plain(self) -> dict[str, Any]:
        """As JSON, without what the version is called."""
        return {
            "kind": PYTHON_SCRIPT,
            "script_name": self.script_name,
            "code": self.code.to_plain(),
            "inputs": [port.to_plain() for port in self.inputs],
            "outputs": [port.to_plain() for port in self.outputs],
            "params": [param.to_plain() for param in self.params],
            "arguments": list(self.arguments),
            "runconfig": self.runconfig,
        }

    @classmethod
    def of(cls, id: str, name: str, version: str, fields: Fields) -> ModuleContent:
        """The content that was written.

        :raises UserErrorException: it is something else, or of a newer mlsteps; the text names the field.
        """
        found = cls(id, name, version, "", FrozenCode())
        if fields.text("kind") != PYTHON_SCRIPT:
            raise UserErrorException(f"{str(found).capitalize()} is of a kind unknown here; upgrade mlsteps.")
        found = replace(
            found,
            script_name=fields.text("script_name"),
            code=FrozenCode.of(fields.nested("code")),
            inputs=tuple(InputPortDef.from_plain(one) for one in fields.values("inputs")),
            outputs=tuple(OutputPortDef.from_plain(one) for one in fields.values("outputs")),
            params=tuple(ParamDef.from_plain(one) for one in fields.values("params")),
            arguments=tuple(_argument(one) for one in fields.values("arguments")),
            runconfig=fields.value("runconfig"),
        )
        fields.finish()
        if found.code.snapshot is None:
            raise UserErrorException(f"{str(found).capitalize()} lacks its code.")
        return found


def _argument(value: Any) -> str | Mapping[str, str]:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and len(value) == 1:
        ((kind, name),) = value.items()
        if kind in _REFERENCES and isinstance(name, str):
            return {kind: name}
    raise UserErrorException(f"Expected an argument of a module, found {value!r}.")

"""Reading a pipeline from a YAML file in SDK v1's format."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.data import (
    DataPath,
    DataReference,
    Datastore,
    PipelineData,
    PipelineParameter,
    SqlDataReference,
)
from mlsteps.data.sql.parameter import StoredProcedureParameter
from mlsteps.exceptions import PipelineValidationError
from mlsteps.publishing.v1_yaml.node import Node
from mlsteps.publishing.v1_yaml.step_types import STEPS, type_of
from mlsteps.steps.data_transfer_step import OUTPUT

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace

_EMPTY: Mapping[str, Any] = {"int": 0, "float": 0.0, "bool": False}
_TYPES: Mapping[str, Callable[[Any], Any]] = {"string": str, "int": int, "float": float, "bool": bool}


@dataclass
class Names:
    """What the names in a file stand for.

    :param folder: The file's; paths in it are beside it, or in the working directory.
    :param made: Data by the name of its destination.
    :param copied: The same of what transfers make, which are made when somebody asks.
    """

    workspace: Workspace
    folder: Path
    default_compute: str | None = None
    parameters: dict[str, PipelineParameter] = field(default_factory=dict)
    references: dict[str, Any] = field(default_factory=dict)
    made: dict[str, PipelineData] = field(default_factory=dict)
    copied: dict[str, Callable[[], PipelineData]] = field(default_factory=dict)

    def datastore(self, name: str | None) -> Datastore:
        """A datastore; without a name the workspace's default one."""
        return Datastore(self.workspace, name)

    def find(self, name: object, node: Node) -> Any:
        """What a ``source`` names: data that exists, a parameter that says which, or what a step makes."""
        for known in (self.references, self.parameters, self.made):
            if name in known:
                return known[str(name)]
        if name in self.copied:
            return self.copied[str(name)]()
        there = ", ".join([*self.references, *self.parameters, *self.made, *self.copied]) or "nothing"
        return node.refuse(f"the source {name!r} is not known; there is {there}")

    def path(self, text: str) -> Path:
        """A path of the file."""
        beside = self.folder / text
        return beside if beside.exists() or os.path.isabs(text) else Path.cwd() / text


def load_yaml(workspace: Workspace, filename: str | os.PathLike[str]) -> tuple[list[Any], str | None]:
    """The steps and the description of a pipeline in a file; see ``Pipeline.load_yaml``."""
    import yaml

    file = Path(filename).expanduser().absolute()
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PipelineValidationError(f"Pipeline file {str(filename)!r} cannot be read: {error}") from error
    root = Node(content, file.name)
    if "pipeline" not in root:
        root.refuse("'pipeline' is missing, which holds all of it")
    node = Node(root.take("pipeline"), f"{file.name}, pipeline")
    root.done()
    description = node.text("description", "name")
    names = Names(workspace, file.parent, node.text("default_compute"))
    for name, parameter in node.nodes("parameters"):
        names.parameters[name] = _parameter(name, parameter, names)
    for name, reference in node.nodes("data_references"):
        names.references[name] = _reference(name, reference, names)
    steps = [StepReader(name, step, names) for name, step in node.nodes("steps")]
    node.done()
    for step in steps:  # all of them first: a step may stand before the one whose data it reads
        step.note_outputs()
    return [step.made for step in steps], description


class StepReader:
    """One step of a file.

    :param name: Its key.
    """

    def __init__(self, name: str, node: Node, names: Names) -> None:
        self._name, self._names = name, names
        self._kind, self._node = type_of(node)
        self._begun = False

    def note_outputs(self) -> None:
        """Let other steps find what this one makes."""
        for port, output in self._node.nodes("outputs"):
            destination = output.text("destination") or port
            if self._kind == "DataTransferStep":
                if port != OUTPUT:
                    output.refuse(f"a transfer makes {OUTPUT!r} only")
                self._names.copied[destination] = self._copied
            else:
                data, as_dataset = self._output(port, destination, output)
                self._names.made[destination] = data
                self._node.outputs[port] = data.as_dataset() if as_dataset else data
            output.done()

    def _output(self, port: str, destination: str, output: Node) -> tuple[PipelineData, bool]:
        datastore = output.text("datastore")
        data = PipelineData(
            destination,
            self._names.datastore(datastore) if datastore else None,
            port,
            output.text("bind_mode", "type") or "mount",
            output.text("path_on_compute"),
            output.flag("overwrite"),
        )
        return data, bool(output.flag("as_dataset", False))

    def _copied(self) -> PipelineData:
        data: PipelineData = self.made.get_output()
        return data

    @cached_property
    def made(self) -> Any:
        """The step itself."""
        if self._begun:
            self._node.refuse("it reads what is made of its own output: a cycle")
        self._begun = True
        made = STEPS[self._kind](self._name, self._node, self._names)
        self._node.done()
        return made


def _parameter(name: str, node: Node, names: Names) -> PipelineParameter:
    kind = node.needed("type")
    default = node.take("default", default=_EMPTY.get(kind))
    node.done()
    if kind == "datapath":
        path = Node(default, f"{node.where}, default")
        value = DataPath(
            names.datastore(path.text("datastore")), path.text("path_on_datastore"), path.text("name")
        )
        path.done()
        return PipelineParameter(name, value)
    if kind not in _TYPES:
        node.refuse(f"the type {kind!r} is none of string, int, float, bool and datapath")
    if default is None:
        node.refuse("'default' is missing")
    try:
        return PipelineParameter(name, _TYPES[kind](default))
    except (TypeError, ValueError):
        return node.refuse(f"the default {default!r} is no {kind}")


def _reference(name: str, node: Node, names: Names) -> Any:
    if "dataset_name" in node or "dataset_id" in node:
        from mlsteps.data.datasets import Dataset

        called, id = node.text("dataset_name"), node.text("dataset_id")
        node.done()
        workspace: Any = names.workspace
        found = Dataset.get_by_name(workspace, called) if called else Dataset.get_by_id(workspace, str(id))
        return found.as_named_input(name).as_mount()
    datastore = names.datastore(node.text("datastore"))
    sql = {key: node.take(key) for key in ("sql_table", "sql_query", "sql_stored_procedure") if key in node}
    if not sql:
        made = DataReference(datastore, name, node.text("path_on_datastore"))
        node.done()
        return made
    given = [
        StoredProcedureParameter(key, part.take("value"), part.text("type"))
        for key, part in node.nodes("sql_stored_procedure_params")
    ]
    node.done()
    return SqlDataReference(datastore, name, **sql, sql_stored_procedure_params=given or None)

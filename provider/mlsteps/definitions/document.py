"""The definition of a pipeline: one JSON document, whole, and the parts of a pipeline that it describes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mlsteps.definitions.data_kinds import KINDS as DATA
from mlsteps.definitions.environment_kinds import KINDS as ENVIRONMENT
from mlsteps.definitions.freezing import Freezer
from mlsteps.definitions.kinds import CannotBeWritten
from mlsteps.definitions.module_kinds import KINDS as MODULES
from mlsteps.definitions.reader import Reader
from mlsteps.definitions.steps import read_step, write_code, write_step
from mlsteps.definitions.writer import Writer
from mlsteps.exceptions import PipelineValidationError, UserErrorException
from mlsteps.launcher import strict_json
from mlsteps.launcher.strict_json import Fields

if TYPE_CHECKING:
    from pathlib import Path

    from mlsteps.data import Datastore
    from mlsteps.graph import Graph
    from mlsteps.steps import PipelineStep
    from mlsteps.workspace import Workspace

FORMAT_VERSION = 1
_KIND = "pipeline-definition"
_KINDS = (*DATA, *ENVIRONMENT, *MODULES)


@dataclass(frozen=True)
class Definition:
    """A pipeline's definition as JSON.

    :param description: The pipeline's.
    :param on_reuse: The pipeline's.
    :param default_datastore: A value, as the rest is written.
    :param objects: What steps share or know by identity.
    :param steps: In an order in which they can run.
    :param order: Pairs of positions in ``steps``: the second starts when the first is done.
    """

    description: str | None
    on_reuse: str | None
    default_datastore: Any
    objects: Sequence[Mapping[str, Any]]
    steps: Sequence[Mapping[str, Any]]
    order: Sequence[tuple[int, int]]
    text: str = field(default="", repr=False, compare=False)

    @staticmethod
    def of(
        graph: Graph,
        workspace: Workspace,
        source_directories: Sequence[Path],
        *,
        description: str | None,
        on_reuse: str | None,
        default_datastore: Datastore | None,
        freezer: Freezer,
    ) -> Definition:
        """The definition of a pipeline, with its code in the workspace.

        :param source_directories: Of each step of the graph, in its order.
        :param freezer: Keeps what the pipeline names.
        :raises StepDefinitionError: naming a step and the argument that cannot be published.
        :raises SnapshotException: code cannot be read.
        """
        prepared = [step.prepared(workspace) for step in graph.steps]
        writer = Writer(workspace, _KINDS, freezer, prepared)
        try:
            datastore = writer.write(default_datastore, "default_datastore")
        except CannotBeWritten as error:
            raise PipelineValidationError(
                f"Pipeline, argument {error.where!r}: {error.problem}. {error.fix}".rstrip()
            ) from error
        steps = [write_step(step, writer) for step in prepared]
        # Only now, so that no code is stored of what cannot be written down.
        for step, directory, written in zip(prepared, source_directories, steps, strict=True):
            written["code"] = write_code(writer.freezer.code_of(step, directory))
        number = {id(step): position for position, step in enumerate(graph.steps)}
        order = sorted(
            {(number[id(edge.before)], number[id(edge.after)]) for edge in graph.edges if not edge.data}
        )
        return _with_text(Definition(description, on_reuse, datastore, writer.objects, steps, order))

    @property
    def digest(self) -> str:
        """What tells definitions apart."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def step_names(self) -> list[str]:
        """The names of its steps."""
        return [str(step["name"]) for step in self.steps]

    def parts(self, workspace: Workspace) -> tuple[list[PipelineStep], Datastore | None]:
        """The steps, in order and connected, and the default datastore.

        :param workspace: What they are to work in. Nothing is asked of it.
        :raises UserErrorException: something in it is wrong; the text says where.
        """
        reader = Reader(workspace, _KINDS, self.objects, _KIND)
        default_datastore = reader.read(self.default_datastore)
        steps = reader.steps
        for position, step in enumerate(self.steps):
            steps.append(read_step(Fields(step, f"{_KIND}, steps[{position}]"), reader))
        reader.read_all()
        for before, after in self.order:
            steps[after].run_after(steps[before])
        return steps, default_datastore


def parse(text: str | bytes) -> Definition:
    """The definition that somebody wrote.

    :raises UserErrorException: it is none, or of another version; the text names the field.
    """
    fields = strict_json.parse(text, _KIND, FORMAT_VERSION)
    steps = fields.values("steps")
    definition = Definition(
        fields.optional_text("description"),
        fields.optional_text("on_reuse"),
        fields.value("default_datastore"),
        fields.values("objects"),
        steps,
        [_pair(value, len(steps)) for value in fields.values("order")],
    )
    fields.finish()
    for position, step in enumerate(steps):
        Fields(step, f"{_KIND}, steps[{position}]").text("name")
    return _with_text(definition)


def _with_text(definition: Definition) -> Definition:
    content = {
        "description": definition.description,
        "on_reuse": definition.on_reuse,
        "default_datastore": definition.default_datastore,
        "objects": list(definition.objects),
        "steps": list(definition.steps),
        "order": [list(pair) for pair in definition.order],
    }
    return replace(definition, text=strict_json.render(_KIND, FORMAT_VERSION, content))


def _pair(value: Any, number: int) -> tuple[int, int]:
    def is_position(part: Any) -> bool:
        return type(part) is int and 0 <= part < number

    if isinstance(value, list) and len(value) == 2 and all(map(is_position, value)):
        return value[0], value[1]
    raise UserErrorException(f"{_KIND}, order: expected pairs of positions of steps, found {value!r}")

"""Steps as JSON: their type, what they were constructed with, and their code by its content.

A new type of step is one line here: whatever it is constructed with is written by the kinds of values.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlsteps.definitions.kinds import CannotBeWritten
from mlsteps.definitions.reader import Reader, readable
from mlsteps.definitions.writer import Writer
from mlsteps.exceptions import StepDefinitionError, UserErrorException
from mlsteps.launcher.strict_json import Fields
from mlsteps.reuse.frozen import FrozenCode

if TYPE_CHECKING:
    from mlsteps.steps import PipelineStep

STEP_TYPES: Mapping[str, str] = {
    "PythonScriptStep": "mlsteps.steps.python_script_step",
    "DataTransferStep": "mlsteps.steps.data_transfer_step",
    "DatabricksStep": "mlsteps.steps.databricks_step",
    "ModuleStep": "mlsteps.steps.module_step",
}
"""Name of a class -> its module. Only these are ever imported for what a definition says."""

# What is frozen, and what a step is given by whoever makes it again.
_NOT_WRITTEN = ("source_directory", "frozen_code", "upstream_outputs", "dag", "task_group")


def write_step(step: PipelineStep, writer: Writer) -> dict[str, Any]:
    """A step as JSON, but for its code.

    :raises StepDefinitionError: naming the argument that cannot be published.
    """
    kind = type(step)
    if STEP_TYPES.get(kind.__name__) != kind.__module__:
        raise StepDefinitionError(
            step.name,
            "steps",
            f"{kind.__qualname__} is a class of your own, whose code would have to run in Airflow's own "
            f"processes",
            f"Published pipelines are made of {', '.join(STEP_TYPES)}.",
        )
    arguments = {}
    for name, value in step.frozen_arguments().items():
        if name in _NOT_WRITTEN:
            continue
        try:
            arguments[name] = writer.write(value, name)
        except CannotBeWritten as error:
            argument = error.where or name
            raise StepDefinitionError(step.name, argument, error.problem, error.fix) from error
    return {"type": kind.__name__, "name": step.name, "arguments": arguments, "code": None}


def read_step(fields: Fields, reader: Reader) -> PipelineStep:
    """The step that was written.

    :raises UserErrorException: the text names the field that is wrong.
    """
    name, kind = fields.text("name"), step_class(fields.text("type"))
    arguments = {key: reader.read(value) for key, value in fields.items("arguments").items()}
    code = fields.optional_nested("code")
    fields.finish()
    frozen = FrozenCode.of(code) if code else FrozenCode()
    with readable(f"The step {name!r} of a definition cannot be made"):
        made: PipelineStep = kind(**arguments, frozen_code=frozen)
    if made.takes_source and (made.frozen_code is None or made.frozen_code.snapshot is None):
        raise UserErrorException(f"The step {name!r} of a definition lacks its code")
    return made


def step_class(name: str) -> Any:
    """The class of a type of steps.

    :raises UserErrorException: there is none.
    """
    module = STEP_TYPES.get(name)
    if module is None:
        raise UserErrorException(
            f"The type of step {name!r} is unknown to this mlsteps, which knows {', '.join(STEP_TYPES)}; "
            f"upgrade it if a newer one wrote this."
        )
    return getattr(import_module(module), name)


def write_code(code: FrozenCode | None) -> dict[str, Any] | None:
    """A step's code as JSON."""
    return None if code is None or code == FrozenCode() else code.to_plain()

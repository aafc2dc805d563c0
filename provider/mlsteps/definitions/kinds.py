"""Kind: how objects of one class are written and read; the parts that writer and reader share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlsteps.definitions.reader import Reader
    from mlsteps.definitions.writer import Writer
    from mlsteps.launcher.strict_json import Fields

STEP_OUTPUT = "StepOutput"
"""Kind of the data that a step made by itself."""


class CannotBeWritten(Exception):
    """A value that no definition can hold.

    :param where: What it is called, such as ``arguments[2]``; empty where whoever holds it knows that.
    """

    def __init__(self, where: str, problem: str, fix: str = "") -> None:
        super().__init__(problem)
        self.where, self.problem, self.fix = where, problem, fix


@dataclass(frozen=True)
class Kind:
    """How objects of a class are written.

    :param name: The ``kind`` in JSON.
    :param matches: Whether it is for an object.
    :param fields: The fields of an object.
    :param make: The object with these fields.
    """

    name: str
    matches: Callable[[Any], bool]
    fields: Callable[[Any, Writer], Mapping[str, Any]]
    make: Callable[[Fields, Reader], Any]

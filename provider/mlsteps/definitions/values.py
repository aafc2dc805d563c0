"""Values as JSON and back: plain ones as they are, each object once, made of those before it.

Objects keep their identity: PipelineData is the same data by being the same object, and what stands in a
step's arguments is recognised as one of its inputs in the same way.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from mlsteps.exceptions import MlstepsException, UserErrorException
from mlsteps.launcher.strict_json import Fields

if TYPE_CHECKING:
    from mlsteps.definitions.freezing import Freezer
    from mlsteps.steps import PipelineStep
    from mlsteps.workspace import Workspace

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


class Writer:
    """Writes values; each object once.

    :param workspace: The pipeline's.
    :param kinds: Of objects.
    :param freezer: Keeps what a file of this machine says.
    :param steps: Whose own data may be found among the values.
    """

    def __init__(
        self,
        workspace: Workspace,
        kinds: tuple[Kind, ...],
        freezer: Freezer,
        steps: Sequence[PipelineStep] = (),
    ) -> None:
        self._own = {
            id(data): {"kind": STEP_OUTPUT, "step": position, "output": number}
            for position, step in enumerate(steps)
            for number, data in enumerate(step.own_data)
        }
        self.objects: list[dict[str, Any]] = []
        self.freezer = freezer
        self.workspace = workspace
        self._kinds = kinds
        self._within = ""
        self._known: dict[int, int] = {}
        self._alive: list[Any] = []  # an id is one object's only as long as that lives

    def write(self, value: Any, where: str) -> Any:
        """``value`` as JSON.

        :param where: What it is called by whoever holds it.
        :raises CannotBeWritten: it is, or holds, something that cannot be written.
        """
        return self._write(value, f"{self._within}{where}")

    def _write(self, value: Any, where: str) -> Any:
        if isinstance(value, Enum) and isinstance(value, str):
            return value.value  # Airflow's rules and strategies, which may be given as texts
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, int) and not isinstance(value, Enum):
            return int(value)
        if isinstance(value, float):
            number = float(value)
            return number if math.isfinite(number) else {"kind": "float", "value": repr(number)}
        if type(value) is list:
            return [self._write(item, f"{where}[{number}]") for number, item in enumerate(value)]
        if type(value) is tuple:
            items = [self._write(item, f"{where}[{number}]") for number, item in enumerate(value)]
            return {"kind": "tuple", "items": items}
        if isinstance(value, (set, frozenset)):
            items = sorted((self._write(item, where) for item in value), key=json.dumps)
            return {"kind": "set", "items": items}
        if isinstance(value, Mapping):
            return {"kind": "dict", "items": self._items(value, where)}
        if isinstance(value, timedelta):
            return {"kind": "timedelta", "seconds": value.total_seconds()}
        if isinstance(value, datetime):
            return {"kind": "datetime", "value": value.isoformat()}
        if isinstance(value, PurePath):
            return {"kind": "path", "value": str(value)}
        if value is self.workspace or hasattr(value, "record_store"):
            return self._workspace(value, where)
        return self._object(value, where)

    def _items(self, value: Mapping[Any, Any], where: str) -> dict[str, Any]:
        written = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise CannotBeWritten(where, f"{key!r}, a key of a dict, is no text")
            written[str(key)] = self._write(item, f"{where}.{key}")
        return written

    def _workspace(self, value: Any, where: str) -> Any:
        if value != self.workspace:
            raise CannotBeWritten(
                where,
                f"{value!r} is another workspace than the pipeline's, {self.workspace!r}",
                "Publish a pipeline in the workspace that all of it works in.",
            )
        return {"kind": "workspace"}

    def _object(self, value: Any, where: str) -> Any:
        known = self._known.get(id(value))
        if known is None and id(value) in self._own:
            self.objects.append(dict(self._own[id(value)]))
            known = self._known[id(value)] = len(self.objects) - 1
        if known is None:
            kind = next((kind for kind in self._kinds if kind.matches(value)), None)
            if kind is None:
                raise _refusal(value, where)
            holder = copy.copy(self)
            holder._within = f"{where}."
            try:
                fields = kind.fields(value, holder)
            except CannotBeWritten as error:
                error.where = error.where or where
                raise
            self.objects.append({"kind": kind.name, **fields})
            known = self._known[id(value)] = len(self.objects) - 1
            self._alive.append(value)
        return {"ref": known}


class Reader:
    """Reads what a :class:`Writer` wrote.

    :param workspace: That which the pipeline is to work in.
    """

    def __init__(
        self, workspace: Workspace, kinds: tuple[Kind, ...], objects: Sequence[Any], where: str
    ) -> None:
        self.workspace = workspace
        self.steps: list[PipelineStep] = []
        self._kinds = {kind.name: kind for kind in kinds}
        self._written = objects
        self._made: dict[int, Any] = {}
        self._limit = len(objects)
        self._where = where

    def read_all(self) -> None:
        """Make what nobody has asked for, too: a mistake in it is one.

        :raises UserErrorException: naming the object and the field.
        """
        for number in range(len(self._written)):
            self._referred(number)

    def read(self, value: Any) -> Any:
        """The value that was written.

        :raises UserErrorException: it is not one that could have been.
        """
        if isinstance(value, list):
            return [self.read(item) for item in value]
        if not isinstance(value, dict):
            return value
        fields = Fields(value, f"{self._where}, a value")
        if "ref" in value:
            found = self._referred(fields.integer("ref"))
        else:
            found = self._tagged(fields.text("kind"), fields)
        fields.finish()
        return found

    def _referred(self, number: int) -> Any:
        if not 0 <= number < self._limit:
            raise UserErrorException(
                f"{self._where}: there is no object {number} before the one that refers to it"
            )
        if number not in self._made:
            outer, self._limit = self._limit, number  # objects are made of earlier ones only
            try:
                self._made[number] = self._make(number)
            finally:
                self._limit = outer
        return self._made[number]

    def _make(self, number: int) -> Any:
        where = f"{self._where}, objects[{number}]"
        fields = Fields(self._written[number], where)
        name = fields.text("kind")
        if name == STEP_OUTPUT:
            made = self._output(fields.integer("step"), fields.integer("output"), where)
        elif name in self._kinds:
            with readable(f"{where}, a {name}"):
                made = self._kinds[name].make(fields, self)
        else:
            raise UserErrorException(
                f"{where}: the kind {name!r} is unknown to this mlsteps; upgrade it if a newer wrote this."
            )
        fields.finish()
        return made

    def _output(self, step: int, output: int, where: str) -> Any:
        if 0 <= step < len(self.steps) and 0 <= output < len(self.steps[step].own_data):
            return self.steps[step].own_data[output]
        raise UserErrorException(f"{where}: no step {step} before this makes an output {output}")

    def _tagged(self, kind: str, fields: Fields) -> Any:
        if kind == "dict":
            return {key: self.read(item) for key, item in fields.items("items").items()}
        if kind == "tuple":
            return tuple(self.read(item) for item in fields.values("items"))
        if kind == "set":
            return {self.read(item) for item in fields.values("items")}
        if kind == "float":
            text = fields.text("value")
            if text not in ("nan", "inf", "-inf"):
                raise UserErrorException(f"{self._where}: the float {text!r} is none of nan, inf and -inf")
            return float(text)
        if kind == "timedelta":
            return timedelta(seconds=fields.number("seconds"))
        if kind == "datetime":
            return _moment(fields.text("value"), self._where)
        if kind == "path":
            return Path(fields.text("value"))
        if kind == "workspace":
            return self.workspace
        raise UserErrorException(f"{self._where}: a value of the unknown kind {kind!r}")


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Errors of whatever refuses a value that somebody changed, in words that say where it stands.

    :raises UserErrorException: for those that are not ours already.
    """
    try:
        yield
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        if isinstance(error, MlstepsException):
            raise
        raise UserErrorException(f"{where}: {type(error).__name__}: {error}") from error


def _moment(text: str, where: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise UserErrorException(f"{where}: {error}") from None


def _refusal(value: Any, where: str) -> CannotBeWritten:
    name = type(value).__name__
    if callable(getattr(value, "iter_references", None)):
        return CannotBeWritten(
            where,
            f"{value!r} is what a task of some DAG returns, and a published pipeline stands alone",
            "Make it a PipelineParameter, or data that a step of the pipeline makes.",
        )
    if callable(value):
        return CannotBeWritten(
            where,
            f"{getattr(value, '__qualname__', name)!r} is code, which would have to run in Airflow's own "
            f"processes",
            "Leave it out; of what is published only scripts run, and only on the compute target.",
        )
    return CannotBeWritten(where, f"an object of type {name} cannot be published: {value!r}")

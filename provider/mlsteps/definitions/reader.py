"""Reader: what a writer wrote, strictly; whatever is wrong in it is an error that says where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.definitions.kinds import STEP_OUTPUT, Kind
from mlsteps.exceptions import MlstepsException, UserErrorException
from mlsteps.launcher.strict_json import Fields

if TYPE_CHECKING:
    from mlsteps.steps import PipelineStep
    from mlsteps.workspace import Workspace


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

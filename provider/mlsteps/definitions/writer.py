"""Writer: values as JSON; plain ones as they are, each object once, made of those before it.

Objects keep their identity: PipelineData is the same data by being the same object, and what stands in a
step's arguments is recognised as one of its inputs in the same way.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from mlsteps.definitions.freezing import SETTINGS_WITH_SECRETS
from mlsteps.definitions.kinds import STEP_OUTPUT, CannotBeWritten, Kind

if TYPE_CHECKING:
    from mlsteps.definitions.freezing import Freezer
    from mlsteps.steps import PipelineStep
    from mlsteps.workspace import Workspace


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
        if where in SETTINGS_WITH_SECRETS:
            self.freezer.refuse_secrets_in(where, value)
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

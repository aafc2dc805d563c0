"""What guards of one run have left so far, on the record store, until all have and it is one result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from mlsteps.records import layout
from mlsteps.records.store import RecordFormatError, dump_json, read_record

if TYPE_CHECKING:
    from mlsteps.data.stores import Store

VERSION = 1

# What has become of the guards of a run: they run, or did not have to, or their result is kept.
State = Literal["waiting", "reused", "kept"]

# The sensor's XCom that tells its guards what they are computing.
AWAITED_KEY = "awaited"


@dataclass(frozen=True)
class Awaited:
    """What the guards of a run make, if they run.

    :param key: What the fingerprint was made of.
    :param try_number: The sensor's.
    :param replaces: Whether the result takes the place of an earlier one.
    """

    fingerprint: str
    key: Mapping[str, Any]
    try_number: int
    replaces: bool

    def to_plain(self) -> dict[str, Any]:
        """For XCom."""
        return asdict(self)

    @classmethod
    def from_plain(cls, value: Mapping[str, Any]) -> Awaited:
        """What `to_plain` gave."""
        return cls(**{f.name: value[f.name] for f in fields(cls)})


@dataclass(frozen=True)
class Part:
    """What one guard, or one of its mapped instances, has left.

    :param fingerprint: What it was computed for.
    :param values: Its XComs by key, as Airflow's serializer writes them.
    :param references: Of data that XComs point at, by a label that tells which.
    :param problem: Why all of it may not stand for later runs.
    """

    fingerprint: str
    task_id: str
    map_index: int
    seconds: float
    values: Mapping[str, Any] = field(default_factory=dict)
    references: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True)
class GuardResults:
    """The files of one sensor in one run: one for each part, and one with what the sensor did.

    Any number of guards may write at the same time, each its own file.
    """

    records: Store
    dag_id: str
    run_id: str
    sensor: str

    @property
    def folder(self) -> str:
        """Where the parts lie."""
        return f"{layout.run_folder(self.dag_id, self.run_id)}/guards/{layout.path_part(self.sensor)}"

    def begin(self) -> None:
        """The guards run: what earlier ones have left does not count."""
        self._close("waiting")

    def reused(self) -> None:
        """The guards do not run."""
        self._close("reused")

    def kept(self) -> None:
        """All that they left is kept as one result."""
        self._close("kept")

    @property
    def state(self) -> State | None:
        """What has become of the guards; None before the sensor has decided about them."""

        def read(value: Mapping[str, Any]) -> State:
            if value["state"] not in get_args(State):
                raise TypeError(f"{value['state']!r} is no state")
            state: State = value["state"]
            return state

        try:
            return read_record(self.records, self._state_path, VERSION, read)
        except RecordFormatError:
            return None

    def add(self, part: Part) -> None:
        """Keep a part, in place of what this guard left before."""
        name = layout.path_part(layout.step_key(part.task_id, part.map_index))
        self.records.write(f"{self.folder}/{name}.json", dump_json({"version": VERSION, **asdict(part)}))

    def complete(self, fingerprint: str, expected: int) -> list[Part] | None:
        """All parts of a result; None while some are missing.

        :param expected: How many there have to be.
        """
        names = self.records.list_names(self.folder)
        if len(names) < expected:
            return None
        read = (read_record(self.records, f"{self.folder}/{name}", VERSION, _part) for name in names)
        # Of those that are gone another guard has made a result already.
        parts = [part for part in read if part is not None and part.fingerprint == fingerprint]
        return parts if len(parts) >= expected else None

    @property
    def _state_path(self) -> str:
        # Beside the parts; no task id has an equals sign.
        return f"{self.folder}=state.json"

    def _close(self, state: State) -> None:
        self.records.delete(self.folder)
        self.records.write(self._state_path, dump_json({"version": VERSION, "state": state}))


def _part(value: Mapping[str, Any]) -> Part:
    return Part(**{f.name: value[f.name] for f in fields(Part)})

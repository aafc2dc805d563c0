"""StepRecord: what one step of one run did, in one JSON file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from mlsteps.records import layout
from mlsteps.records.store import RecordStore, dump_json, read_record

VERSION = 1

RUNNING = "running"
RAN = "ran"
REUSED = "reused"
FAILED = "failed"
CANCELED = "canceled"
SKIPPED = "skipped"


@dataclass(frozen=True)
class StepRecord:
    """One try of a step. Written when it starts, while it runs, and when it ends.

    :param state: ``running``, ``ran``, ``reused``, ``failed``, ``canceled`` or ``skipped``.
    :param reason: Why it is in that state, in words.
    :param step_run_id: Id of this try; outputs lie below it.
    :param step_type: Class name of the step.
    :param max_tries: How many tries it gets in all; a failed one below it will be tried again.
    :param started, ended: UTC, ISO 8601.
    :param seconds: Wall time of the try.
    :param phases: Seconds by part: snapshot, environment, stage, script, publish.
    :param where: host, process id, compute target.
    :param command: What was run, with parameter values in place.
    :param parameters: Pipeline parameters it used, by name.
    :param environment: How its interpreter was made.
    :param source: Source directory, snapshot digest, git commit and whether it had uncommitted changes.
    :param inputs: By port name: where it came from and its digest.
    :param outputs: By port name: the reference that XCom carries.
    :param metrics: By name, as ``get_metrics`` gives them.
    :param metric_events: The same as they were logged, for the parts that later steps or pages need.
    :param parent_metric_events: What it logged on the pipeline run.
    :param tags, parent_tags: What it set on itself and on the pipeline run.
    :param files: Kept files, by name, relative to the try's ``files`` folder.
    :param models: Models it registered, as ``name:version``.
    :param exit_code, signal: How its script ended.
    :param error: The error as it was told.
    :param fingerprint: What decides whether its result may stand for another run.
    :param key: What that is the hash of; empty for a step that was reused, whose result has it.
    :param decision: Why it ran or was reused, as data; ``reason`` has it in words.
    :param reused_from: The try whose result it has, if it was reused.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    name: str
    step_run_id: str
    step_type: str
    state: str
    reason: str = ""
    max_tries: int = 1
    started: str | None = None
    ended: str | None = None
    seconds: float | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    metric_events: tuple[Mapping[str, Any], ...] = ()
    parent_metric_events: tuple[Mapping[str, Any], ...] = ()
    tags: Mapping[str, Any] = field(default_factory=dict)
    parent_tags: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    exit_code: int | None = None
    signal: str | None = None
    error: str | None = None
    fingerprint: str | None = None
    key: Mapping[str, Any] = field(default_factory=dict)
    decision: Mapping[str, Any] = field(default_factory=dict)
    reused_from: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The step's folder on the record store."""
        return layout.step_folder(self.dag_id, self.run_id, self.task_id, self.map_index)

    @property
    def try_folder(self) -> str:
        """The folder of this try on the record store."""
        return layout.try_folder(self.dag_id, self.run_id, self.task_id, self.map_index, self.try_number)

    @property
    def kept_folder(self) -> str:
        """Where its kept files and logs lie: of a reused step with the try that made them."""
        return str(self.reused_from.get("folder") or self.try_folder)

    @property
    def finished(self) -> bool:
        """Whether it will not change any more, short of being cleared."""
        return self.state in (RAN, REUSED, CANCELED, SKIPPED) or (
            self.state == FAILED and self.try_number >= self.max_tries
        )

    def with_(self, **changes: Any) -> StepRecord:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def save(self, store: RecordStore, durable: bool = True) -> None:
        """Write it; a kill at any moment leaves the earlier record or this one.

        Every try has a record of its own, so that one that is taken for dead and is not cannot write over the
        record of the try that followed it.
        """
        fields_of_it = {name: getattr(self, name) for name in _FIELDS_IN_ORDER}
        data = dump_json({"version": VERSION, **fields_of_it})
        store.write(f"{self.try_folder}/step.json", data, durable)


_FIELDS_IN_ORDER = tuple(f.name for f in fields(StepRecord))
_FIELDS = set(_FIELDS_IN_ORDER)
_TUPLES = {"command", "metric_events", "parent_metric_events", "files", "models"}


def read_step(store: RecordStore, folder: str) -> StepRecord | None:
    """The record of a step's newest try, or None where it has not started."""
    return next(iter(read_tries(store, folder)), None)


def read_tries(store: RecordStore, folder: str) -> Iterator[StepRecord]:
    """The records of all tries of a step, the newest first."""
    for number in sorted(layout.try_numbers(store.list_names(folder)), reverse=True):
        record = read_try(store, layout.numbered_try(folder, number))
        if record is not None:
            yield record


def read_try(store: RecordStore, folder: str) -> StepRecord | None:
    """The record of one try, by its folder; None if there is none."""
    return read_record(store, f"{folder}/step.json", VERSION, _from_json, whole=False)


def _from_json(value: dict[str, Any]) -> StepRecord:
    known: dict[str, Any] = {k: tuple(v) if k in _TUPLES else v for k, v in value.items() if k in _FIELDS}
    return StepRecord(**known)

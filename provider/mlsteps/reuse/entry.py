"""ReuseEntry: what a step made of a fingerprint, so that it need not be made again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from mlsteps.exceptions import UserErrorException
from mlsteps.launcher.manifest import Manifest
from mlsteps.records.store import RecordFormatError, RecordStore, dump_json, read_record
from mlsteps.reuse.layout import is_fingerprint

VERSION = 1

T = TypeVar("T")


@dataclass(frozen=True)
class EntryOutput:
    """One output, as it stood when the step ended.

    :param reference: As ``PortDataReference.serialize`` gives it.
    :param manifest: Its files, so that a hit can be checked without another file of the store.
    :param among_others: Whether files of others may lie beside its own.
    :param marks: What the store knew of each file, such as its tag, by path; see ``data.content.marks_at``.
    """

    reference: Mapping[str, Any]
    manifest: Manifest
    marks: Mapping[str, str] | None = None
    among_others: bool = False


@dataclass(frozen=True)
class Origin:
    """The try of a step that made the outputs.

    :param folder: The folder of the try on the record store.
    :param host, user: Where and as whom it ran.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    step_run_id: str
    name: str
    folder: str
    host: str
    user: str


@dataclass(frozen=True)
class ReuseEntry:
    """All that a later run needs to take this result for its own. Everything in it is plain JSON.

    :param key: The parts that the fingerprint was made of, to explain a later miss.
    :param outputs: By port name.
    :param created: UTC, ISO 8601.
    :param seconds: How long it took, which is what a reuse saves.
    :param metrics, metric_events, parent_metric_events, tags, parent_tags, properties, files, models: As in
        the step's record.
    :param values: XCom values of operators that are not steps, by key.
    """

    fingerprint: str
    key: Mapping[str, Any]
    outputs: Mapping[str, EntryOutput]
    origin: Origin
    created: str
    seconds: float
    metrics: Mapping[str, Any] = field(default_factory=dict)
    metric_events: tuple[Mapping[str, Any], ...] = ()
    parent_metric_events: tuple[Mapping[str, Any], ...] = ()
    tags: Mapping[str, Any] = field(default_factory=dict)
    parent_tags: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The entry as versioned JSON."""
        outputs = {
            name: {
                "reference": output.reference,
                "manifest": json.loads(output.manifest.to_json()),
                **({} if output.marks is None else {"marks": output.marks}),
                **({"among_others": True} if output.among_others else {}),
            }
            for name, output in self.outputs.items()
        }
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return dump_json({"version": VERSION, **plain, "origin": asdict(self.origin), "outputs": outputs})


def read_entry(store: RecordStore, path: str) -> ReuseEntry | None:
    """The entry at ``path``, or None where there is none.

    :raises RecordFormatError: what stands there is no entry, half of one, or one of a newer mlsteps.
    """
    try:
        return read_record(store, path, VERSION, _from_json)
    except (UserErrorException, RecursionError, OverflowError) as error:  # a manifest, brackets, a number
        raise RecordFormatError(f"{path} is not a reuse entry: {error}") from error


_MAPPINGS = ("metrics", "tags", "parent_tags", "properties", "values")


def _from_json(value: dict[str, Any]) -> ReuseEntry:
    fingerprint = _take(value, "fingerprint", str)
    if not is_fingerprint(fingerprint):
        raise TypeError(f"{fingerprint!r} is no fingerprint")
    return ReuseEntry(
        fingerprint=fingerprint,
        key=_take(value, "key", dict),
        outputs={name: _output(output) for name, output in _take(value, "outputs", dict).items()},
        origin=_origin(_take(value, "origin", dict)),
        created=_take(value, "created", str),
        seconds=float(_take(value, "seconds", (int, float))),
        metric_events=_items(value, "metric_events", dict),
        parent_metric_events=_items(value, "parent_metric_events", dict),
        files=_items(value, "files", str),
        models=_items(value, "models", str),
        **{name: _take(value, name, dict) for name in _MAPPINGS},
    )


def _output(value: dict[str, Any]) -> EntryOutput:
    manifest = Manifest.from_json(json.dumps(_take(value, "manifest", dict)))
    marks = _take(value, "marks", dict) if "marks" in value else None
    among_others = value.get("among_others") is True
    return EntryOutput(_take(value, "reference", dict), manifest, marks, among_others)


def _origin(value: dict[str, Any]) -> Origin:
    numbers = ("map_index", "try_number")
    known: dict[str, Any] = {
        f.name: _take(value, f.name, int if f.name in numbers else str) for f in fields(Origin)
    }
    return Origin(**known)


def _take(value: dict[str, Any], name: str, kind: type[T] | tuple[type[T], ...]) -> T:
    item = value[name]
    if not isinstance(item, kind):
        raise TypeError(f"{name!r} is {type(item).__name__}")
    return item


def _items(value: dict[str, Any], name: str, kind: type[T]) -> tuple[T, ...]:
    items: list[Any] = _take(value, name, list)
    if not all(isinstance(item, kind) for item in items):
        raise TypeError(f"{name!r} holds something else than {kind.__name__}")
    return tuple(items)

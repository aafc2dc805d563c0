"""When guards succeed: what each left is kept, and once all have, it becomes a result for later runs."""

from __future__ import annotations

import getpass
import logging
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import timezone

from mlsteps.compat import to_plain
from mlsteps.data import PortDataReference, Producer
from mlsteps.exceptions import DataNotFoundException
from mlsteps.launcher.manifest import Manifest
from mlsteps.records import layout
from mlsteps.reuse.entry import EntryOutput, Origin, ReuseEntry
from mlsteps.reuse.history import History
from mlsteps.reuse.key import Key
from mlsteps.reuse.store import ReuseStore
from mlsteps.run import values
from mlsteps.run.journal import utc_now
from mlsteps.sensors.guard_facts import GuardFacts
from mlsteps.sensors.guard_results import AWAITED_KEY, Awaited, GuardResults, Part
from mlsteps.sensors.guarded_outputs import locate
from mlsteps.sensors.guards import keys_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlsteps.sensors.reuse import ReuseSensor
    from mlsteps.workspace import Workspace

_LOG = logging.getLogger(__name__)


def guard_succeeded(sensor_id: str, context: Context) -> None:
    """Keep what the task of a context left; the last of all guards makes the result.

    :raises Exception: whatever a store, Airflow or a user's class raises. The task has succeeded all the
        same.
    """
    ti, dag = context["ti"], context["dag"]
    sensor: Any = dag.get_task(sensor_id)
    told = ti.xcom_pull(task_ids=sensor_id, key=AWAITED_KEY, map_indexes=-1)
    if told is None:
        _LOG.info("%s has not decided about this task in this run: its result is not kept.", sensor_id)
        return
    awaited, workspace = Awaited.from_plain(told), sensor.effective_workspace()
    results = GuardResults(workspace.record_store(), ti.dag_id, ti.run_id, sensor_id)
    if results.state != "waiting":
        # Somebody cleared it, so whatever stands for it is not to be trusted any longer.
        _LOG.info("This task ran again on its own: %s reuses nothing until all its guards have.", sensor_id)
        ReuseStore(results.records).forget(awaited.fingerprint)
        results.begin()
    results.add(_part(sensor, context, awaited))
    expected = ti.get_ti_count(dag_id=ti.dag_id, task_ids=list(sensor.guards), run_ids=[ti.run_id])
    parts = results.complete(awaited.fingerprint, expected)
    if parts is not None:
        _land(sensor, workspace, results, awaited, parts)


def _part(sensor: ReuseSensor, context: Context, awaited: Awaited) -> Part:
    """What the task of a context left."""
    ti, dag = context["ti"], context["dag"]
    index = -1 if ti.map_index is None else ti.map_index
    seconds = (timezone.utcnow() - ti.start_date).total_seconds()
    part = Part(awaited.fingerprint, ti.task_id, index, seconds)
    if not GuardFacts.of([dag.get_task(ti.task_id)]).hold_in(Key.from_plain(awaited.key)):
        return _spoiled(part, f"the declaration of {ti.task_id!r} changed while the run was going on")
    left: dict[str, Any] = {}
    references: dict[str, Mapping[str, Any]] = {}
    keys = keys_of(dag, sensor.guards, sensor.xcom_keys)[ti.task_id]
    for key in keys:
        try:
            value = ti.xcom_pull(task_ids=ti.task_id, key=key, map_indexes=index)
            if value is None:
                continue
            left[key] = _checked(value)
            if key == "return_value" and _has_multiple_outputs(context) and isinstance(value, Mapping):
                left |= {name: _checked(item) for name, item in value.items()}
        except Exception as error:  # serializers of other people's classes raise anything
            return _spoiled(
                part,
                f"XCom {key!r} of task {ti.task_id!r} cannot be kept: {type(error).__name__}: {error}. "
                "Leave it out of xcom_keys, or return what Airflow can serialize and read again",
            )
        for number, reference in enumerate(_references(value)):
            label = f"{layout.step_key(ti.task_id, index)}: {key} {number}"
            references[label] = reference.serialize()
    return Part(part.fingerprint, part.task_id, part.map_index, seconds, left, references)


def _spoiled(part: Part, problem: str) -> Part:
    _LOG.warning("The result is not kept for later runs: %s.", problem)
    return Part(part.fingerprint, part.task_id, part.map_index, part.seconds, problem=problem)


def _checked(value: Any) -> Any:
    plain = to_plain(value)
    values.dumps(plain)
    return plain


def _has_multiple_outputs(context: Context) -> bool:
    return bool(getattr(context["task"], "multiple_outputs", False))


def _references(value: Any) -> Iterator[PortDataReference]:
    if isinstance(value, PortDataReference):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _references(item)


def _land(
    sensor: ReuseSensor, workspace: Workspace, results: GuardResults, awaited: Awaited, parts: Sequence[Part]
) -> None:
    """Make one result of all parts, if it may stand for later runs."""
    key = Key.from_plain(awaited.key)
    problem = next((part.problem for part in parts if part.problem), None)
    if problem is None:
        changed = sensor.fingerprint_reader(workspace, {}).changed(sensor.fingerprint, key.inputs)
        if changed is not None:
            problem = f"{changed!r} of the fingerprint changed while the guards ran"
    outputs: dict[str, EntryOutput] = {}
    if problem is None:
        try:
            outputs = _outputs(sensor, workspace, results, awaited, parts)
        except DataNotFoundException as error:
            problem = error.message.rstrip(".")
    if problem is not None:
        _LOG.warning("What the guards of %r made is not kept for later runs: %s.", sensor.task_id, problem)
        return
    entry = _entry(results, awaited, outputs, parts)
    ReuseStore(results.records).record(entry, replace=awaited.replaces)
    History(results.records).remember(results.dag_id, results.sensor, entry.fingerprint)
    results.kept()
    _LOG.info("All that %r guards has run: its result is kept for later runs.", sensor.task_id)


def _entry(
    results: GuardResults, awaited: Awaited, outputs: Mapping[str, EntryOutput], parts: Sequence[Part]
) -> ReuseEntry:
    kept: dict[str, dict[str, Any]] = {}
    for part in sorted(parts, key=lambda part: (part.task_id, part.map_index)):
        kept.setdefault(part.task_id, {})[str(part.map_index)] = dict(part.values)
    return ReuseEntry(
        fingerprint=awaited.fingerprint,
        key=awaited.key,
        outputs=outputs,
        origin=Origin(
            dag_id=results.dag_id,
            run_id=results.run_id,
            task_id=results.sensor,
            map_index=-1,
            try_number=awaited.try_number,
            step_run_id=layout.step_run_id(
                results.dag_id, results.run_id, results.sensor, -1, awaited.try_number
            ),
            name=results.sensor,
            folder=results.folder,
            host=socket.gethostname(),
            user=_user(),
        ),
        created=utc_now(),
        seconds=round(sum(part.seconds for part in parts), 3),
        values=kept,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user id need not have a name
        return ""


def _outputs(
    sensor: ReuseSensor, workspace: Workspace, results: GuardResults, awaited: Awaited, parts: Sequence[Part]
) -> dict[str, EntryOutput]:
    """Declared outputs, and data that XComs point at, each with the list of its files.

    :raises DataNotFoundException: the text says what is not there.
    """
    producer = Producer(results.dag_id, results.run_id, results.sensor, -1, awaited.try_number)
    found = {
        output.name: output.as_it_is(workspace, producer)
        for output in locate(sensor.task_id, sensor.outputs, workspace)
    }
    for part in parts:
        for label, reference in part.references.items():
            # Data of another workspace cannot be looked at from here.
            if reference["workspace"] == workspace.locator:
                text = results.records.read(reference["manifest"]).decode()
                found[label] = EntryOutput(reference, Manifest.from_json(text))
    return found

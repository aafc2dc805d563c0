"""From metric events to ``get_metrics``: pure functions, used by the script's run and by the run records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlsteps.run.protocol import Event, EventKind, MetricKind

# log() and log_list() under one name make one series, as log_row() and log_table() make one table.
_SERIES = (MetricKind.SCALAR, MetricKind.LIST)
_TABLES = (MetricKind.ROW, MetricKind.TABLE)


def aggregate(events: Iterable[Event], target: str | None = None) -> dict[str, Any]:
    """What ``get_metrics`` returns for these events; events of other kinds are passed over.

    A name logged once with one value gives the value, otherwise the list of values in order. Rows and tables
    give a dict of columns, a single row a dict of scalars; a column that a row lacks is None there. Images
    give the name of the run file, the chart types their dict; several under one name a list. If a name was
    logged with types that do not go together, the first one counts. All as in SDK v1, except that there
    ``log`` and ``log_list`` do not mix.

    Args:
        events: a journal, oldest first.
        target: take only the events of this run (``self``, ``parent`` or a child's id); None takes all.
    """
    by_name: dict[str, list[Event]] = {}
    for event in events:
        if event["event"] == EventKind.METRIC and target in (None, event.get("target")):
            by_name.setdefault(event["name"], []).append(event)
    return {name: _value(same_name) for name, same_name in by_name.items()}


def _value(events: list[Event]) -> Any:
    family = _family(events[0]["kind"])
    events = [event for event in events if event["kind"] in family]
    if family == _SERIES:
        return _one_or_all([item for event in events for item in _series(event)])
    if family == _TABLES:
        return _table(events)
    return _one_or_all([event["value"] for event in events])


def _family(kind: str) -> tuple[str, ...]:
    return next((family for family in (_SERIES, _TABLES) if kind in family), (kind,))


def _series(event: Event) -> list[Any]:
    return list(event["value"]) if event["kind"] == MetricKind.LIST else [event["value"]]


def _one_or_all(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items


def _table(events: list[Event]) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {}
    length = 0
    for event in events:
        added = {
            name: cell if event["kind"] == MetricKind.TABLE else [cell]
            for name, cell in event["value"].items()
        }
        rows = max(map(len, added.values()), default=0)
        for name in added:
            columns.setdefault(name, [None] * length)
        for name, cells in columns.items():
            cells.extend(added.get(name, [None] * rows))
        length += rows
    if length == 1:
        return {name: cells[0] for name, cells in columns.items()}
    return dict(columns)

"""Metrics as they were logged, as what MLflow has for them; pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlsteps.run.protocol import MetricKind
from mlsteps.tracking.names import key_of, milliseconds, text_of

# What MLflow has no metric for is a file in this folder of the run.
_CHARTS = "metrics"
_FILES = (
    MetricKind.CONFUSION_MATRIX,
    MetricKind.ACCURACY_TABLE,
    MetricKind.RESIDUALS,
    MetricKind.PREDICTIONS,
)


@dataclass
class Logged:
    """What some metric events are to MLflow.

    :param points: Values with their name, time in milliseconds and step, in the order they were logged.
    :param tags: Values that are texts; of each name the last.
    :param charts: What has a form of its own, by the path of a JSON file; of each name the last.
    """

    points: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    charts: dict[str, Any] = field(default_factory=dict)


def logged(events: Iterable[Mapping[str, Any]]) -> Logged:
    """What MLflow gets of metric events.

    A list is a series, a table a series for each column, called ``name/column``. Steps are those that were
    logged, else they count up. Images are among the files of the run already.
    """
    found = Logged()
    counts: defaultdict[str, int] = defaultdict(int)
    for event in events:
        name, kind, value = str(event["name"]), event["kind"], event["value"]
        if kind in _FILES:
            found.charts[f"{_CHARTS}/{key_of(name)}.json"] = value
            continue
        for series, one in _values(name, kind, value):
            count = counts[series]
            counts[series] += 1
            if isinstance(one, str):
                found.tags[series] = text_of(one)
            elif isinstance(one, (bool, int, float)):
                found.points.append(
                    {
                        "key": series,
                        "value": float(one),
                        "timestamp": milliseconds(event["time"]),
                        "step": _step(event.get("step"), count),
                    }
                )
    return found


def _values(name: str, kind: str, value: Any) -> Iterable[tuple[str, Any]]:
    if kind == MetricKind.SCALAR:
        yield key_of(name), value
    elif kind == MetricKind.LIST:
        for one in value:
            yield key_of(name), one
    elif kind in (MetricKind.ROW, MetricKind.TABLE):
        for column, cells in value.items():
            for cell in cells if kind == MetricKind.TABLE else [cells]:
                yield key_of(f"{name}/{column}"), cell


def _step(given: Any, count: int) -> int:
    """MLflow's steps are whole numbers."""
    whole = isinstance(given, (int, float)) and float(given).is_integer()
    return int(given) if whole else count

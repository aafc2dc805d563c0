from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mlsteps.run.metrics import aggregate
from mlsteps.run.protocol import Event, MetricKind


def metric(name: str, kind: str, value: Any, target: str = "self") -> Event:
    return {"event": "metric", "target": target, "name": name, "kind": kind, "value": value}


def shape(*metrics: tuple[str, Any]) -> Any:
    return aggregate(metric("m", kind, value) for kind, value in metrics)["m"]


def test_scalars() -> None:
    assert shape((MetricKind.SCALAR, 1)) == 1
    assert shape((MetricKind.SCALAR, 1), (MetricKind.SCALAR, 2)) == [1, 2]
    assert shape((MetricKind.SCALAR, None)) is None


def test_lists() -> None:
    assert shape((MetricKind.LIST, [1, 2])) == [1, 2]
    assert shape((MetricKind.LIST, [1])) == 1
    assert shape((MetricKind.LIST, [])) == []
    assert shape((MetricKind.LIST, [1]), (MetricKind.SCALAR, 2), (MetricKind.LIST, [3])) == [1, 2, 3]


def test_rows_and_tables() -> None:
    assert shape((MetricKind.ROW, {"x": 1, "y": 2})) == {"x": 1, "y": 2}
    assert shape((MetricKind.ROW, {"x": 1}), (MetricKind.ROW, {"x": 2})) == {"x": [1, 2]}
    assert shape((MetricKind.TABLE, {"x": [1, 2]})) == {"x": [1, 2]}
    assert shape((MetricKind.TABLE, {"x": [1]})) == {"x": 1}
    assert shape((MetricKind.TABLE, {"x": [1, 2]}), (MetricKind.ROW, {"x": 3})) == {"x": [1, 2, 3]}
    assert shape((MetricKind.TABLE, {"x": []})) == {"x": []}


def test_columns_that_come_and_go_are_none_where_absent() -> None:
    rows = [(MetricKind.ROW, {"x": 1}), (MetricKind.TABLE, {"y": [2, 3]}), (MetricKind.ROW, {"x": 4, "y": 5})]
    assert shape(*rows) == {"x": [1, None, None, 4], "y": [None, 2, 3, 5]}


def test_images_and_charts() -> None:
    assert shape((MetricKind.IMAGE, "a_1.png")) == "a_1.png"
    assert shape((MetricKind.IMAGE, "a_1.png"), (MetricKind.IMAGE, "a_2.png")) == ["a_1.png", "a_2.png"]
    assert shape((MetricKind.CONFUSION_MATRIX, {"data": {}})) == {"data": {}}


def test_the_first_type_of_a_name_counts() -> None:
    assert shape((MetricKind.SCALAR, 1), (MetricKind.ROW, {"x": 1})) == 1


def test_only_metrics_of_the_target() -> None:
    events = [metric("a", "scalar", 1), metric("a", "scalar", 2, "parent"), {"event": "tag", "tags": {}}]
    assert aggregate(events, "self") == {"a": 1}
    assert aggregate(events, "parent") == {"a": 2}
    assert aggregate(events) == {"a": [1, 2]}
    assert aggregate([]) == {}


@given(st.lists(st.dictionaries(st.sampled_from("xyz"), st.integers(), min_size=1), min_size=2))
def test_tables_are_rectangular(rows: list[dict[str, int]]) -> None:
    table = shape(*((MetricKind.ROW, row) for row in rows))
    assert {len(column) for column in table.values()} == {len(rows)}
    for number, row in enumerate(rows):
        assert {name: cells[number] for name, cells in table.items() if cells[number] is not None} == row


@given(st.lists(st.integers() | st.lists(st.integers()), min_size=1))
def test_a_series_is_flat_and_in_order(logged: list[Any]) -> None:
    flat = [item for entry in logged for item in (entry if isinstance(entry, list) else [entry])]
    found = shape(*((MetricKind.LIST if isinstance(e, list) else MetricKind.SCALAR, e) for e in logged))
    assert found == (flat[0] if len(flat) == 1 else flat)

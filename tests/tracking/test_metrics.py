"""Metric events as series, tags and files of MLflow."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mlsteps.run.protocol import MetricKind
from mlsteps.tracking.metrics import logged


def event(name: str, value: Any, kind: str = MetricKind.SCALAR, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "value": value, "time": "2026-01-02T03:04:05.678+00:00", **more}


def points(*events: dict[str, Any]) -> list[tuple[str, float, int]]:
    return [(point["key"], point["value"], point["step"]) for point in logged(events).points]


def test_values_of_one_name_are_a_series_in_the_order_they_were_logged() -> None:
    assert points(event("loss", 2), event("loss", 1.5), event("other", True)) == [
        ("loss", 2.0, 0),
        ("loss", 1.5, 1),
        ("other", 1.0, 0),
    ]
    (point,) = logged([event("loss", 1)]).points
    assert point["timestamp"] == 1767323045678


def test_steps_that_were_logged_are_kept() -> None:
    assert points(event("loss", 1, step=100), event("loss", 2, step=200.0), event("loss", 3, step=0.5)) == [
        ("loss", 1.0, 100),
        ("loss", 2.0, 200),
        ("loss", 3.0, 2),  # MLflow has whole steps only
    ]


def test_a_list_is_a_series_and_a_table_one_for_each_column() -> None:
    assert points(event("acc", [0.5, 0.6], MetricKind.LIST), event("acc", 0.7)) == [
        ("acc", 0.5, 0),
        ("acc", 0.6, 1),
        ("acc", 0.7, 2),
    ]
    rows = event("t", {"x": 1, "y": 2}, MetricKind.ROW), event("t", {"x": [3, 4]}, MetricKind.TABLE)
    assert points(*rows) == [("t/x", 1.0, 0), ("t/y", 2.0, 0), ("t/x", 3.0, 1), ("t/x", 4.0, 2)]


def test_texts_are_tags_nothing_is_left_out_and_charts_are_files() -> None:
    chart = {"schema_type": "residuals"}
    found = logged(
        [
            *(event("solver", "sgd"), event("solver", "lbfgs"), event("none", None)),
            *(event("fit/all", chart, MetricKind.RESIDUALS), event("plot", "p_1.png", MetricKind.IMAGE)),
        ]
    )
    assert (found.points, found.tags, found.charts) == (
        [],
        {"solver": "lbfgs"},
        {"metrics/fit/all.json": chart},
    )


def test_numbers_that_are_none_are_kept() -> None:
    (nothing, endless) = logged([event("loss", math.nan), event("loss", math.inf)]).points
    assert math.isnan(nothing["value"]) and endless["value"] == math.inf


@pytest.mark.parametrize(
    ("name", "key"),
    [("loss (train)", "loss _train_"), ("a//b", "a/b"), ("../up", "up"), ("/", "_"), ("é:1", "é_1")],
)
def test_names_become_what_mlflow_takes(name: str, key: str) -> None:
    assert [point[0] for point in points(event(name, 1))] == [key]

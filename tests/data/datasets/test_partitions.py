"""``partition_format``: which values a path gives."""

from __future__ import annotations

from datetime import datetime

import pytest

from mlsteps.data.datasets.partitions import partition_format
from mlsteps.exceptions import UserErrorException


@pytest.mark.parametrize(
    ("form", "path", "values"),
    [
        ("/{a}/{b}/data.csv", "x/y/z/data.csv", {"a": "y", "b": "z"}),
        ("{a}/data.csv", "y/data.csv", {"a": "y"}),
        ("/{a}/*.csv", "y/1.csv", {"a": "y"}),
        ("/{d:yyyy/MM/dd}/x", "a/2020/02/29/x", {"d": datetime(2020, 2, 29)}),
        (
            "/{a}/{t:yyyyMMdd-HHmmss}.json",
            "k/20200101-235959.json",
            {"a": "k", "t": datetime(2020, 1, 1, 23, 59, 59)},
        ),
        ("/year={y:yyyy}/{f}.csv", "year=2020/a.b.csv", {"y": datetime(2020, 1, 1), "f": "a.b"}),
        ("/{a}-{b}/x+y", "k-l/x+y", {"a": "k", "b": "l"}),
    ],
)
def test_what_a_path_says(form: str, path: str, values: dict[str, object]) -> None:
    assert partition_format(form).values(path) == values


@pytest.mark.parametrize("path", ["data.csv", "y/data.tsv", "y/data.csv/x"])
def test_a_path_of_another_form_is_an_error(path: str) -> None:
    with pytest.raises(UserErrorException, match=f"the path '{path}' is not of this form"):
        partition_format("/{a}/data.csv").values(path)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("/x", "names no column"),
        ("", "braces must be in pairs"),
        ("/{a", "braces must be in pairs"),
        ("/{}/x", "braces must be in pairs"),
        ("/{a}/{a}", "'a' stands twice"),
        ("/{d:MM/dd}", "needs a year"),
    ],
)
def test_what_is_no_format_is_refused(form: str, told: str) -> None:
    with pytest.raises(UserErrorException, match=told):
        partition_format(form)


def test_a_day_that_there_is_not_is_an_error() -> None:
    with pytest.raises(UserErrorException, match="'d' in the path '2021/02/29' is no date"):
        partition_format("/{d:yyyy/MM/dd}").values("2021/02/29")

from __future__ import annotations

from typing import Any

import pytest

from mlsteps.compute.resources import Resources, size_in_bytes
from mlsteps.exceptions import ComputeTargetException


@pytest.mark.parametrize(
    ("text", "size"),
    [("512m", 512 * 2**20), ("8g", 8 * 2**30), ("1.5 GiB", 3 * 2**29), ("2GB", 2 * 2**30), (100, 100)],
)
def test_sizes(text: object, size: int) -> None:
    assert size_in_bytes(text) == size


@pytest.mark.parametrize("text", ["", "many", "-1g", "8 apples", True, None])
def test_what_is_no_size(text: object) -> None:
    assert size_in_bytes(text) is None


def test_settings_and_back() -> None:
    settings = {"cpu": 1.5, "memory": "2g", "shm": 64}
    resources = Resources.from_settings(settings, "x")

    assert resources == Resources(cpu=1.5, memory=2 * 2**30, shm=64)
    assert Resources.from_settings(resources.to_settings(), "x") == resources


def test_what_is_not_said_is_taken_from_others() -> None:
    assert Resources(cpu=2).or_else(Resources(cpu=4, gpus=0)) == Resources(cpu=2, gpus=0)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"cpus": 1}, "the job: unknown 'cpus'; known are cpu, memory, gpus, shm"),
        ({"cpu": 0}, "the job: 'cpu' is a number above 0, got 0"),
        ({"cpu": "4"}, "'cpu' is a number"),
        ({"gpus": 0.5}, "'gpus' is a whole number, got 0.5"),
        ({"memory": "much"}, "'memory' is a number of bytes or a text such as 512m or 8g, got 'much'"),
        ({"shm": 0}, "'shm' is a number of bytes"),
    ],
)
def test_settings_that_are_wrong(settings: dict[str, Any], error: str) -> None:
    with pytest.raises(ComputeTargetException, match=error):
        Resources.from_settings(settings, "the job")

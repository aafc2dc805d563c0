"""Calls that may take long where there is no time for them."""

from __future__ import annotations

import threading
import time

import pytest

from mlsteps.compute.in_time import within


def test_what_is_done_in_time_counts() -> None:
    assert within(5, lambda: "done", "otherwise") == "done"
    with pytest.raises(ValueError, match="bad"):
        within(5, lambda: int("bad"), 0)


def test_what_takes_longer_is_left_to_itself() -> None:
    go_on = threading.Event()
    began = time.monotonic()
    assert within(0.05, lambda: go_on.wait(30), None) is None
    assert time.monotonic() - began < 5
    go_on.set()

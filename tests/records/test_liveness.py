"""A step whose process was killed is not shown as running for ever."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from mlsteps.records.liveness import process_identity, settled
from mlsteps.records.step import FAILED, RAN, RUNNING, StepRecord

pytestmark = pytest.mark.skipif(
    not process_identity()["processes"],
    reason="this machine does not tell one numbering of processes from another",
)


def record(state: str, **where: Any) -> StepRecord:
    identity = {**process_identity(), **where}
    return StepRecord("dag", "run", "task", -1, 1, "task", "id", "Step", state, where=identity)


def gone() -> int:
    """The number of a process that has been."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
    return process.pid


def test_a_step_whose_process_is_gone_counts_as_failed_and_says_so() -> None:
    read = settled(record(RUNNING, pid=gone()))
    assert (read.state, read.finished) == (FAILED, True)
    assert "killed from outside" in (read.error or "")


def test_a_step_whose_process_lives_is_running() -> None:
    assert settled(record(RUNNING)).state == RUNNING


def test_of_a_step_on_another_machine_nothing_is_said() -> None:
    assert settled(record(RUNNING, pid=gone(), processes="another boot:pid:[1]")).state == RUNNING


def test_a_step_that_ended_stays_what_it_is() -> None:
    assert settled(record(RAN, pid=gone())).state == RAN

"""How a run on Databricks ended, in words."""

from __future__ import annotations

from typing import Any

import pytest

from mlsteps.compute.databricks.endings import has_ended, task_run, why_failed


def ended(result: str, message: str = "", life: str = "TERMINATED", **more: Any) -> dict[str, Any]:
    state = {"life_cycle_state": life, "result_state": result, "state_message": message}
    return {"run_id": 7, "run_page_url": "https://x/run/7", "state": state, **more}


@pytest.mark.parametrize(
    ("life", "over"),
    [
        ("PENDING", False),
        ("QUEUED", False),
        ("RUNNING", False),
        ("TERMINATING", False),
        ("BLOCKED", False),
        ("WAITING_FOR_RETRY", False),
        ("TERMINATED", True),
        ("SKIPPED", True),
        ("INTERNAL_ERROR", True),
    ],
)
def test_a_run_is_over_when_nothing_of_it_goes_on(life: str, over: bool) -> None:
    assert has_ended(ended("", life=life)) is over


def test_a_success_has_no_words() -> None:
    assert why_failed(ended("SUCCESS"), {}) is None


@pytest.mark.parametrize(
    ("run", "output", "words"),
    [
        (
            ended("FAILED", "x"),
            {"error": "KeyError: 'a'"},
            "Databricks run 7 failed: KeyError: 'a'. See https://x",
        ),
        (ended("CANCELED", "Run cancelled."), {}, "was canceled: Run cancelled. See"),
        (ended("TIMEDOUT", ""), {}, "longer than timeout_seconds and was stopped: it gave no reason."),
        (ended("", "Skipped.", life="SKIPPED"), {}, "could not be run: Skipped. See"),
        (ended("FAILED", "Quota exceeded for cores"), {}, "a larger quota"),
        (ended("FAILED", "Driver is unresponsive"), {}, "retries"),
        (ended("FAILED", 'Unable to access the notebook "/a"'), {}, "Look after the path"),
        (
            ended("FAILED", "no", status={"termination_details": {"code": "UNAUTHORIZED_ERROR"}}),
            {},
            "needs that right",
        ),
        (ended("FAILED", "Workload\n  failed"), {}, "failed: Workload failed."),
    ],
)
def test_an_end_is_told_with_what_to_do(run: dict[str, Any], output: dict[str, Any], words: str) -> None:
    told = why_failed(run, output)
    assert told is not None and words in told


def test_the_last_attempt_of_a_task_counts() -> None:
    tasks = [{"run_id": 1, "attempt_number": 0}, {"run_id": 3, "attempt_number": 2}, {"run_id": 2}]
    assert task_run({"tasks": tasks})["run_id"] == 3
    assert task_run({"run_id": 9})["run_id"] == 9

"""What the steps of a pipeline run amount to in MLflow."""

from __future__ import annotations

import pytest

from mlsteps.tracking.program import pipeline_status


def step(task: str, state: str, try_number: int = 1, finished: bool = True, **more: str) -> dict[str, str]:
    return {
        "mlsteps.task_id": task,
        "mlsteps.state": state,
        "mlsteps.try_number": str(try_number),
        "mlsteps.finished": "yes" if finished else "no",
        **more,
    }


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ([step("a", "ran")], None),
        ([step("a", "ran"), step("b", "reused", 0)], "FINISHED"),
        ([step("a", "failed", finished=False), step("b", "ran")], None),
        ([step("a", "failed", finished=False), step("a", "ran", 2), step("b", "ran")], "FINISHED"),
        ([step("a", "failed")], "FAILED"),
        ([step("a", "failed"), step("a", "ran", 10), step("a", "failed", 9), step("b", "ran")], "FINISHED"),
        ([step("a", "ran"), step("b", "canceled")], "KILLED"),
        ([step("a", "canceled")], None),
        (
            [step("a", "failed", **{"mlsteps.map_index": "0"}), step("a", "ran", 2), step("b", "ran")],
            "FAILED",
        ),
    ],
)
def test_the_newest_tries_count_and_all_steps_have_to_be_over(
    steps: list[dict[str, str]], status: str | None
) -> None:
    assert pipeline_status(["a", "b"], steps) == status

"""What the steps of a pipeline run amount to in MLflow."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from mlsteps.tracking.program import Sender, pipeline_status


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


class HistoryDouble:
    """A double of the client, with some points. One with a database ignores what it has, others do not."""

    def __init__(self, *points: tuple[str, int, float]) -> None:
        self.batches: list[dict[str, Any]] = []
        self._points = points

    def get_metric_history(self, run_id: str, key: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(timestamp=at, value=value) for name, at, value in self._points if name == key]

    def log_batch(self, run_id: str, **given: Any) -> None:
        self.batches.append(given)


def point(key: str, at: int, value: float) -> dict[str, Any]:
    return {"key": key, "timestamp": at, "value": value, "step": 0}


def test_of_points_that_are_sent_again_only_those_that_are_missing_are() -> None:
    sender = Sender(HistoryDouble(("loss", 1, 0.5), ("loss", 2, math.nan), ("other", 1, 0.5)))
    again = [point("loss", 1, 0.5), point("loss", 1, 0.5), point("loss", 2, math.nan), point("new", 1, 0.5)]
    assert sender._missing("run", again) == [point("loss", 1, 0.5), point("new", 1, 0.5)]


def test_what_is_too_much_for_one_request_is_sent_in_several() -> None:
    pytest.importorskip("mlflow")
    client = HistoryDouble()
    points = [point("loss", at, 0.5) for at in range(1700)]
    Sender(client)._log("run", points, {f"p{n}": "" for n in range(101)}, {f"t{n}": "" for n in range(250)})
    sizes = [tuple(len(batch[kind]) for kind in ("metrics", "params", "tags")) for batch in client.batches]
    assert sizes == [(800, 100, 100), (800, 1, 100), (100, 0, 50)]

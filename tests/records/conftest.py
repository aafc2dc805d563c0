"""A record store, and records to keep on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlsteps.data.stores import FolderStore
from mlsteps.records import DeclaredStep, RunRecord, StepRecord


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def make_step() -> Callable[..., StepRecord]:
    def make(task_id: str = "prepare", state: str = "ran", **fields: Any) -> StepRecord:
        known: dict[str, Any] = {
            "dag_id": "train",
            "run_id": "r1",
            "map_index": -1,
            "try_number": 1,
            "name": task_id,
            "step_run_id": f"train.r1.{task_id}.1",
            "step_type": "PythonScriptStep",
        }
        return StepRecord(task_id=task_id, state=state, **{**known, **fields})

    return make


@pytest.fixture
def make_run() -> Callable[..., RunRecord]:
    def make(*task_ids: str, **fields: Any) -> RunRecord:
        known: dict[str, Any] = {
            "dag_id": "train",
            "run_id": "r1",
            "experiment": "prices",
            "created": "2026-01-31T12:00:00+00:00",
        }
        steps = tuple(DeclaredStep(task_id, task_id.title()) for task_id in task_ids)
        return RunRecord(steps=steps, **{**known, **fields})

    return make

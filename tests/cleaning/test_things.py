"""A folder is taken for a run's own only if nobody else would call one so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.cleaning.things import looks_like_step_run_id, may_have_made
from mlsteps.records import layout

# What Airflow takes for ids: of DAGs and tasks, and of runs.
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,150}", fullmatch=True)
run_ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.~:+-]{0,200}", fullmatch=True)


@given(names, run_ids, names, st.integers(-1, 9), st.integers(0, 12))
def test_every_step_run_id_is_known_as_one_and_whose_it_may_be(
    dag: str, run: str, task: str, index: int, number: int
) -> None:
    made = layout.step_run_id(dag, run, task, index, number)
    assert looks_like_step_run_id(made)
    assert may_have_made(layout.run_folder(dag, run), made)


@pytest.mark.parametrize(
    "name",
    [
        "prices",
        "2026-01-31",
        "sales.2024.01.15",
        "data.v1.2",
        "model.onnx",
        "a.b.c.d",
        "train.r1.prepare.1-old",
        "12345678-aaaa-bbbb-cccc-1234567890ab",
        "notes~0123456789ab",
    ],
)
def test_other_names_are_not(name: str) -> None:
    assert not looks_like_step_run_id(name)


def test_outputs_of_another_dag_or_run_are_not_a_runs_own() -> None:
    folder = layout.run_folder("train", "manual__2026-01-31T00:00:00+00:00")
    other = layout.step_run_id("train", "manual__2026-02-01T00:00:00+00:00", "prepare", -1, 1)
    assert not may_have_made(folder, other)
    assert not may_have_made(folder, "score.r1.prepare.1")

"""Records of runs and steps: what ran, where, with what, and what came of it. No Airflow here."""

from mlsteps.records.models import ModelRecord, latest_versions, read_model, register_model
from mlsteps.records.run import (
    DeclaredStep,
    RunRecord,
    cancel_reason,
    cancel_run,
    list_runs,
    parent_metric_events,
    read_run,
    read_steps,
    run_state,
)
from mlsteps.records.step import StepRecord, read_step
from mlsteps.records.store import RecordStore

__all__ = [
    "DeclaredStep",
    "ModelRecord",
    "RecordStore",
    "RunRecord",
    "StepRecord",
    "cancel_reason",
    "cancel_run",
    "latest_versions",
    "list_runs",
    "parent_metric_events",
    "read_model",
    "read_run",
    "read_step",
    "read_steps",
    "register_model",
    "run_state",
]

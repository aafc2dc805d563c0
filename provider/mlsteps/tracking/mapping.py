"""Records as what MLflow has for them; pure functions. What they make is plain JSON, for the program.

A pipeline run is a run of the experiment, and each try of a step one nested in it. Ours are known by the tags
that start with ``mlsteps.``, by which they are also found again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from mlsteps.records import ModelRecord, RunRecord, StepRecord
from mlsteps.records.step import CANCELED, FAILED, REUSED, SKIPPED
from mlsteps.run import values
from mlsteps.tracking.metrics import logged
from mlsteps.tracking.names import key_of, milliseconds, text_of, texts_of

MODELS_EXPERIMENT = "registered models"
"""The experiment with the files of models that no run has registered."""

# The whole record is a file of the run, but for what MLflow has elsewhere.
_RECORD_FILE = "mlsteps/step.json"
_ELSEWHERE = {"metric_events", "parent_metric_events", "key"}
_STATUS = {FAILED: "FAILED", CANCELED: "KILLED", SKIPPED: "KILLED"}


def pipeline_of(run: RunRecord) -> dict[str, Any]:
    """A pipeline run."""
    return {
        "experiment": run.experiment,
        "key": run.folder,
        "name": run.run_id,
        "start": milliseconds(run.created),
        "tags": {
            **texts_of(run.tags),
            **_ours("property", run.properties),
            "mlsteps.pipeline": run.folder,
            "mlsteps.dag_id": text_of(run.dag_id),
            "mlsteps.run_id": text_of(run.run_id),
            "mlsteps.trigger": text_of(run.trigger),
            **({"mlflow.note.content": text_of(run.description)} if run.description else {}),
        },
        "params": texts_of(run.parameters),
        "declared": [step.task_id for step in run.steps],
    }


def step_of(
    record: StepRecord, models: Sequence[Mapping[str, Any]] = (), original: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A try of a step that is over.

    :param models: What it registered, as :func:`model_of` makes it.
    :param original: Of a reused step, the MLflow run of the try that made its result, where that is known.
    """
    reused = record.state == REUSED
    own = logged(() if reused else record.metric_events)
    parent = logged(() if reused else record.parent_metric_events)
    charts = {path: values.dumps(chart) for path, chart in own.charts.items()}
    return {
        "key": record.step_run_id,
        "name": record.name,
        "status": _STATUS.get(record.state, "FINISHED"),
        "start": milliseconds(record.started),
        "end": milliseconds(record.ended),
        "tags": {
            **({} if reused else texts_of({**own.tags, **record.tags})),
            **_tags(record),
            **(_link(record, original) if reused else {}),
        },
        "params": texts_of(record.parameters),
        "metrics": own.points,
        "texts": {} if reused else {**charts, _RECORD_FILE: _record_text(record)},
        "parent_metrics": parent.points,
        "parent_tags": {} if reused else texts_of({**parent.tags, **record.parent_tags}),
        "models": [] if reused else list(models),
        "files": None,
    }


def model_of(model: ModelRecord, path: str | None, url: str) -> dict[str, Any]:
    """A version of a model.

    :param path: Its file or folder among those of its MLflow run; None where it is not sent there.
    :param url: Where its files lie.
    """
    tags = {
        **texts_of(model.tags),
        **_ours("property", model.properties),
        **{f"mlsteps.dataset.{key_of(scenario)}": text_of(name) for scenario, name in model.datasets},
        "mlsteps.model": model.id,
        "mlsteps.url": text_of(url),
        "mlsteps.framework": " ".join(filter(None, (model.framework, model.framework_version))),
    }
    return {
        "name": _model_name(model.name),
        "id": model.id,
        "path": path,
        "url": url,
        "description": model.description or "",
        "tags": {name: text for name, text in tags.items() if text},
    }


def deleted_model(id: str) -> dict[str, Any]:
    """A version that is registered here no longer: MLflow keeps it, and says so."""
    name = _model_name(id.rpartition(":")[0])
    return {"name": name, "id": id, "description": None, "tags": {"mlsteps.deleted": "yes"}}


def registration_of(model: ModelRecord, sent: Mapping[str, Any]) -> dict[str, Any]:
    """The run that holds the files of a model which no run has registered."""
    registered = milliseconds(model.created)
    return {
        "key": f"model:{model.id}",
        "name": model.id,
        "status": "FINISHED",
        "start": registered,
        "end": registered,
        "tags": {"mlsteps.step_run_id": f"model:{model.id}", "mlflow.source.type": "LOCAL"},
        "params": {},
        "metrics": [],
        "texts": {},
        "parent_metrics": [],
        "parent_tags": {},
        "models": [sent],
        "files": None,
    }


def _model_name(name: str) -> str:
    return re.sub(r"[/:'\"]", "_", name)


def _tags(record: StepRecord) -> dict[str, str]:
    git, tags = record.source.get("git") or {}, {}
    if git.get("commit"):
        tags["mlflow.source.git.commit"] = str(git["commit"])
    if git.get("branch"):
        tags["mlflow.source.git.branch"] = str(git["branch"])
    ours = {
        "state": record.state,
        "reason": record.reason,
        "error": record.error,
        "finished": "yes" if record.finished else "no",
        "dag_id": record.dag_id,
        "run_id": record.run_id,
        "task_id": record.task_id,
        "map_index": record.map_index if record.map_index >= 0 else None,
        "try_number": record.try_number,
        "step_run_id": record.step_run_id,
        "step_type": record.step_type,
        "fingerprint": record.fingerprint,
        "snapshot": record.source.get("snapshot"),
        "uncommitted_changes": "yes" if git.get("dirty") else None,
        "compute": (record.where.get("compute") or {}).get("name"),
    }
    outputs = {name: output.get("url") for name, output in record.outputs.items()}
    tags |= _ours("property", record.properties) | _ours("output", outputs)
    tags |= {"mlflow.source.name": record.step_type, "mlflow.source.type": "JOB"}
    return {
        **tags,
        **{f"mlsteps.{name}": text_of(value) for name, value in ours.items() if value is not None},
    }


def _link(record: StepRecord, original: Mapping[str, Any] | None) -> dict[str, str]:
    """To the run that has what a reused step would have."""
    origin = record.reused_from
    tags = {"mlsteps.reused_from": text_of(origin.get("step_run_id", ""))}
    words = f"Reused from run `{origin.get('run_id')}` of `{origin.get('dag_id')}`: {record.reason}"
    if original is not None:
        tags["mlsteps.reused_from_mlflow_run"] = str(original["run_id"])
        page = f"#/experiments/{original['experiment_id']}/runs/{original['run_id']}"
        words = f"{words}\n\n[The run that made it]({page})"
    return {**tags, "mlflow.note.content": text_of(words)}


def _ours(kind: str, labels: Mapping[str, Any]) -> dict[str, str]:
    return {
        key_of(f"mlsteps.{kind}.{name}"): text_of(value)
        for name, value in labels.items()
        if value is not None
    }


def _record_text(record: StepRecord) -> str:
    kept = [one.name for one in fields(StepRecord) if one.name not in _ELSEWHERE]
    return values.dumps({name: getattr(record, name) for name in kept})

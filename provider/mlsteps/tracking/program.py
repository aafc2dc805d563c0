"""The program that sends to MLflow, with MLflow's own client; run by path.

A process of its own, because the client takes credentials and time limits from variables of its process only,
and so that it can be stopped. It is given a request as JSON on its standard input, and answers by lines of
JSON on its standard output. Nothing is made twice: whatever the request names is looked for first.

Imports nothing of mlsteps.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

PARENT = "mlflow.parentRunId"
STEP_KEY = "mlsteps.step_run_id"
PIPELINE_KEY = "mlsteps.pipeline"
MODEL_KEY = "mlsteps.model"
# What a server takes in one request: a thousand in all.
_POINTS = 800
_LABELS = 100


def main() -> int:
    request = json.load(sys.stdin)
    _settle(request)
    # Errors that hold no trace: of what the client tells, that is what somebody can act on.
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        _answer(error=f"MLflow's client cannot be imported: {error}")
        return 0
    sender = Sender(MlflowClient(request["uri"], request["uri"]))
    for batch in request["batches"]:
        try:
            sender.send(batch)
        except (MlflowException, OSError) as error:  # errors of requests are OSErrors
            _answer(batch=batch["id"], error=f"{type(error).__name__}: {error}")
        else:
            _answer(batch=batch["id"])
    return 0


def _settle(request: Mapping[str, Any]) -> None:
    """The client's own variables. Credentials of a connection stand for all others."""
    os.environ |= {
        "MLFLOW_TRACKING_URI": request["uri"],
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, int(request["timeout"] / 3))),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # which costs a request each
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    if any(request["credentials"].values()):
        for name in ("USERNAME", "PASSWORD", "TOKEN"):
            os.environ.pop(f"MLFLOW_TRACKING_{name}", None)
            if request["credentials"].get(name.lower()):
                os.environ[f"MLFLOW_TRACKING_{name}"] = request["credentials"][name.lower()]


def _answer(**told: Any) -> None:
    print(json.dumps(told), flush=True)


class Sender:
    """Sends what records amount to.

    Args:
        client: MLflow's.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._artifacts: dict[str, str] = {}  # of runs that were found or made

    def send(self, batch: Mapping[str, Any]) -> None:
        """Send steps of one pipeline run, and what they mean for it; or what is new of a model."""
        if "labels" in batch:
            self._relabel(batch["labels"])
            return
        pipeline = batch["pipeline"]
        known = pipeline.get("known")
        if known:
            experiment, parent = known["experiment_id"], known["run_id"]
        else:
            experiment = self._experiment(pipeline["experiment"])
            parent = self._pipeline(experiment, pipeline) if "key" in pipeline else None
            if parent is not None:
                _answer(batch=batch["id"], pipeline=parent, experiment=experiment)
        for step in batch["steps"]:
            run = self._step(experiment, parent, step)
            _answer(batch=batch["id"], step=step["key"], run=run, experiment=experiment)
        if parent is not None:
            self._end(experiment, parent, pipeline["declared"])

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name))
            except MlflowException:  # somebody else was first
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    def _pipeline(self, experiment: str, pipeline: Mapping[str, Any]) -> str:
        found = self._find(experiment, PIPELINE_KEY, pipeline["key"])
        return found or self._create(experiment, pipeline, pipeline["tags"], ())

    def _find(self, experiment: str, tag: str, value: str) -> str | None:
        found = self._client.search_runs([experiment], f"tags.`{tag}` = '{value}'", max_results=1)
        return self._noted(found[0]) if found else None

    def _noted(self, run: Any) -> str:
        self._artifacts[run.info.run_id] = run.info.artifact_uri
        return str(run.info.run_id)

    def _create(
        self,
        experiment: str,
        made_of: Mapping[str, Any],
        tags: Mapping[str, str],
        points: Sequence[Mapping[str, Any]],
    ) -> str:
        first = dict(list(tags.items())[:_LABELS])
        run_id = self._noted(self._client.create_run(experiment, made_of["start"], first, made_of["name"]))
        rest = {name: value for name, value in tags.items() if name not in first}
        self._log(run_id, points, made_of["params"], rest)
        return run_id

    def _step(self, experiment: str, parent: str | None, step: Mapping[str, Any]) -> str:
        tags = {**step["tags"], **({PARENT: parent} if parent else {})}
        run_id = self._find(experiment, STEP_KEY, step["key"])
        if run_id is None:
            run_id = self._create(experiment, step, tags, step["metrics"])
        else:  # of what was begun, what is still missing
            self._log(run_id, self._missing(run_id, step["metrics"]), step["params"], tags)
        if step["files"]:
            self._client.log_artifacts(run_id, step["files"])
        if parent is not None and (step["parent_metrics"] or step["parent_tags"]):
            self._log(parent, self._missing(parent, step["parent_metrics"]), {}, step["parent_tags"])
        for model in step["models"]:
            self._register(run_id, model)
        self._client.set_terminated(run_id, step["status"], step["end"])
        return run_id

    def _missing(self, run_id: str, points: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        there: Counter[tuple[str, int, str]] = Counter()
        for key in {point["key"] for point in points}:
            history = self._client.get_metric_history(run_id, key)
            there.update((key, metric.timestamp, repr(metric.value)) for metric in history)
        missing = []
        for point in points:
            seen = (point["key"], point["timestamp"], repr(point["value"]))  # no NaN is the same as another
            if there[seen] > 0:
                there[seen] -= 1
            else:
                missing.append(point)
        return missing

    def _log(
        self,
        run_id: str,
        points: Sequence[Mapping[str, Any]],
        params: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        labels = max(len(params), len(tags))
        for turn in range(max(-(-len(points) // _POINTS), -(-labels // _LABELS))):
            few, some = (
                slice(turn * _LABELS, (turn + 1) * _LABELS),
                slice(turn * _POINTS, (turn + 1) * _POINTS),
            )
            self._client.log_batch(
                run_id,
                metrics=[Metric(**point) for point in points[some]],
                params=[Param(*pair) for pair in list(params.items())[few]],
                tags=[RunTag(*pair) for pair in list(tags.items())[few]],
            )

    def _register(self, run_id: str, model: Mapping[str, Any]) -> None:
        from mlflow.exceptions import MlflowException

        name = model["name"]
        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        if self._version(model) is not None:
            return
        # Its files, or the run where they were too large for it.
        source = "/".join(filter(None, (self._artifacts[run_id], model["path"])))
        self._client.create_model_version(
            name, source, run_id, model["tags"], description=model["description"] or None
        )

    def _version(self, model: Mapping[str, Any]) -> Any:
        found = self._client.search_model_versions(f"name='{model['name']}'")
        return next((one for one in found if one.tags.get(MODEL_KEY) == model["id"]), None)

    def _relabel(self, model: Mapping[str, Any]) -> None:
        there = self._version(model)
        if there is None:
            return
        if model["description"] is not None:
            self._client.update_model_version(there.name, there.version, model["description"])
            for tag in set(there.tags) - set(model["tags"]):
                if not tag.startswith(("mlsteps.", "mlflow.")):
                    self._client.delete_model_version_tag(there.name, there.version, tag)
        for tag, value in model["tags"].items():
            if there.tags.get(tag) != value:
                self._client.set_model_version_tag(there.name, there.version, tag, value)

    def _end(self, experiment: str, parent: str, declared: Sequence[str]) -> None:
        """End the pipeline's run, or not yet: whoever comes last sees all the others' steps."""
        status = pipeline_status(declared, [run.data.tags for run in self._nested(experiment, parent)])
        if status is not None:
            self._client.set_terminated(parent, status, round(time.time() * 1000))

    def _nested(self, experiment: str, parent: str) -> Iterator[Any]:
        page = None
        while True:
            found = self._client.search_runs(
                [experiment], f"tags.`{PARENT}` = '{parent}'", max_results=1000, page_token=page
            )
            yield from found
            page = found.token
            if not page:
                return


def pipeline_status(declared: Iterable[str], steps: Iterable[Mapping[str, str]]) -> str | None:
    """What the steps of a pipeline run amount to; None while some have still to come.

    Args:
        declared: task ids of all steps.
        steps: the tags of those that are over, of every try.
    """
    newest: dict[tuple[str, str], Mapping[str, str]] = {}
    for tags in sorted(steps, key=lambda tags: int(tags.get("mlsteps.try_number", 0))):
        newest[tags.get("mlsteps.task_id", ""), tags.get("mlsteps.map_index", "")] = tags
    ended = [tags for tags in newest.values() if tags.get("mlsteps.finished") == "yes"]
    states = {tags.get("mlsteps.state") for tags in ended}
    if "failed" in states:
        return "FAILED"
    if len(ended) < len(newest) or set(declared) - {task for task, _ in newest}:
        return None
    return "KILLED" if "canceled" in states else "FINISHED"


if __name__ == "__main__":
    sys.exit(main())

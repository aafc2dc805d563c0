"""StepJournal: keeps a step's record while the step runs, and its log."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlsteps
from mlsteps.compat import AirflowSkipException, AirflowTaskTimeout
from mlsteps.compute import ComputeTarget, JobOutcome, JobSuspended, JobWatcher
from mlsteps.records import DeclaredStep, RunRecord, StepRecord, register_model
from mlsteps.records.liveness import process_identity
from mlsteps.records.step import CANCELED, FAILED, RAN, REUSED, RUNNING, SKIPPED
from mlsteps.reuse import git
from mlsteps.reuse.decision import Decision
from mlsteps.reuse.entry import ReuseEntry
from mlsteps.run.journal import utc_now
from mlsteps.run.labels import properties_after, tags_after
from mlsteps.run.lifecycle import declared_end
from mlsteps.run.metrics import aggregate
from mlsteps.run.protocol import PARENT, SELF, EventKind
from mlsteps.steps.deadline import overdue_in_words
from mlsteps.steps.ending import SkippedAfter, cancel_the_rest
from mlsteps.steps.observers import tell_changed, tell_printed
from mlsteps.steps.retrying import is_final
from mlsteps.steps.reusing import recorded_outputs, reused_record
from mlsteps.tracking import forward_step

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from mlsteps.data import PortDataReference
    from mlsteps.steps.attempt import Attempt
    from mlsteps.steps.binding import BoundStep
    from mlsteps.steps.keys import KeyedStep


class StepJournal:
    """Writes the record of one try: when it starts, when it is bound, now and then, and when it ends.

    Each write replaces the whole record, so a kill at any moment leaves a record that is true of some moment.
    """

    def __init__(self, attempt: Attempt, dag: DAG, resumed: bool = False) -> None:
        self._attempt = attempt
        self._dag = dag
        self._log = attempt.step.log
        self._started = time.monotonic()
        self._watcher: JobWatcher | None = None
        self._events: list[Mapping[str, Any]] = []
        self._suspended = False
        self._resumed = resumed
        earlier = attempt.record_so_far() if resumed else None
        if earlier is not None:
            self.record = earlier.with_(where={**earlier.where, **process_identity()})
            return
        self.record = StepRecord(
            dag_id=attempt.dag_id,
            run_id=attempt.run_id,
            task_id=attempt.task_id,
            map_index=attempt.map_index,
            try_number=attempt.try_number,
            name=attempt.step.name,
            step_run_id=attempt.step_run_id,
            step_type=attempt.step.step_type,
            state=RUNNING,
            max_tries=attempt.max_tries,
            started=utc_now(),
            where=process_identity(),
        )

    @contextmanager
    def kept(self) -> Iterator[StepJournal]:
        """Keep the record from start to end, whatever happens in between."""
        run_record(self._attempt, self._dag).create(self._attempt.records)
        self._save()
        try:
            with self._recorded():
                yield self
        finally:
            if not self._suspended:
                self._forward()

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        try:
            yield
        except SkippedAfter as reason:
            self._end(SKIPPED, reason=str(reason))
            raise
        except AirflowSkipException as reason:
            self._end(CANCELED, reason=str(reason))
            raise
        except BaseException as error:
            if self._suspended:
                raise
            self._end(FAILED, error=self._in_words(error))
            self._stop_others(error)
            raise
        self._end(REUSED if self.record.reused_from else RAN)
        self._log.info(
            "The record of this step: %s", self._attempt.records.url(f"{self.record.try_folder}/step.json")
        )

    def _forward(self) -> None:
        """Let MLflow know. The step is over: it does not fail because its time ends meanwhile."""
        try:
            forward_step(self._attempt.workspace, self.record, self._log)
        except AirflowTaskTimeout:
            self._log.warning("MLflow did not get all of this step before its time was over.")

    def _stop_others(self, error: BaseException) -> None:
        """Where that was asked for, no other step starts after one that has failed for good."""
        wanted = self._attempt.submission.continue_on_step_failure is False
        if wanted and (self.record.finished or is_final(self._attempt.step, error)):
            cancel_the_rest(self._dag, self.record.run_id, f"step {self.record.name!r} failed")

    def _in_words(self, error: BaseException) -> str:
        if isinstance(error, AirflowTaskTimeout):  # Airflow tells the process
            return overdue_in_words(self._attempt.step.execution_timeout)
        return str(error) or type(error).__name__

    def resolved(self, keyed: KeyedStep) -> None:
        """Note values and data, and the key they make."""
        inputs = {}
        for given in keyed.resolved.inputs:
            content = keyed.contents[given.port.name]
            inputs[given.port.name] = {
                **given.description,
                "digest": content.digest,
                "bytes": content.bytes,
                "files": content.number_of_files,
            }
        self._save(
            parameters=dict(keyed.resolved.parameters),
            inputs=inputs,
            key=keyed.key.to_plain(),
            fingerprint=keyed.key.fingerprint,
        )

    def decided(self, decision: Decision) -> None:
        """Note why it runs, or need not."""
        self._log.info("%s", decision.in_words())
        self._save(decision=decision.to_plain(), reason=decision.in_words())

    def reused(self, decision: Decision, entry: ReuseEntry, outputs: Mapping[str, Any]) -> None:
        """Note the earlier result that stands for this step."""
        self.record = reused_record(self.record, decision, entry, outputs)

    def bound(self, bound: BoundStep, compute_target: ComputeTarget) -> None:
        """Note what is going to run, on what."""
        step = self._attempt.step
        frozen = step.frozen_code
        self._save(
            where={**self.record.where, "compute": dict(compute_target.describe())},
            command=bound.job.command,
            source={
                **step.source_notes,
                **({} if frozen else {"directory": str(step.source_directory)}),
                "snapshot": bound.snapshot.digest,
                "files": bound.snapshot.number_of_files,
                "bytes": bound.snapshot.bytes,
                "git": dict(frozen.git if frozen else git.describe(step.source_directory)),
            },
        )

    def watcher(self) -> JobWatcher:
        """What the compute target tells of the job on its way."""
        self._watcher = JobWatcher(self._printed, self._logged, self._keep_files, self._attempt.supervisor)
        return self._watcher

    def suspended(self, waiting: JobSuspended) -> None:
        """Note that the job goes on without this process; another one writes the rest of this try."""
        self._suspended = True
        where = {key: value for key, value in self.record.where.items() if key not in process_identity()}
        self._save(where={**where, "waits": waiting.reason}, phases=self._phases())

    def ran(self, outcome: JobOutcome) -> None:
        """Note how the script ended and everything it logged; carry out what it asked for."""
        self._events = list(outcome.events)
        models = tuple(self._register(event) for event in self._of_kind(EventKind.MODEL))
        if any(event["target"] == PARENT for event in self._of_kind(EventKind.CANCEL)):
            cancel_the_rest(self._dag, self.record.run_id, f"by step {self.record.name!r}")
            self._log.info("The script canceled the pipeline run: steps that have not started will not.")
        self._save(
            command=outcome.command or self.record.command,
            environment=dict(outcome.environment),
            exit_code=outcome.exit_code,
            signal=outcome.signal,
            models=models,
            **self._logged_fields(),
        )

    def published(self, references: Mapping[str, PortDataReference]) -> None:
        """Note the outputs."""
        self._save(outputs=recorded_outputs(self._attempt.step, references, self._attempt.workspace))

    # What the compute target tells

    def _printed(self, stream: str, line: str) -> None:
        self._log.info("[%s] %s", stream, line)
        tell_printed(self.record, stream, line)

    def _logged(self, events: Sequence[Mapping[str, Any]]) -> None:
        self._events += events
        self._save(**self._logged_fields())

    def _keep_files(self, folder: Path) -> None:
        """Copy kept files and logs to the record store: ``files/...``, ``stdout.log``, ``stderr.log``."""
        files = []
        for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
            name = file.relative_to(folder).as_posix()
            self._attempt.records.put_file(file, f"{self._attempt.folder}/{name}")
            if name.startswith("files/"):
                files.append(name[len("files/") :])
        self._save(files=tuple(files))

    # What the script logged

    def _of_kind(self, kind: str) -> list[Mapping[str, Any]]:
        return [event for event in self._events if event.get("event") == kind]

    def _logged_fields(self) -> dict[str, Any]:
        events: list[Any] = self._events
        metrics = [dict(event) for event in self._of_kind(EventKind.METRIC)]
        return {
            "metrics": aggregate(events, SELF),
            "metric_events": tuple(event for event in metrics if event["target"] == SELF),
            "parent_metric_events": tuple(event for event in metrics if event["target"] == PARENT),
            "tags": tags_after(events, SELF, {}),
            "parent_tags": tags_after(events, PARENT, {}),
            "properties": properties_after(events, SELF, {}),
        }

    def _register(self, event: Mapping[str, Any]) -> str:
        model = register_model(
            self._attempt.records,
            name=event["name"],
            path=f"{self._attempt.folder}/files/{event['path']}",
            created=event["time"],
            run_id=self.record.step_run_id,
            dag_id=self.record.dag_id,
            dag_run_id=self.record.run_id,
            description=event.get("description"),
            framework=event.get("framework"),
            framework_version=event.get("framework_version"),
            tags=event.get("tags") or {},
            properties=event.get("properties") or {},
            datasets=tuple((str(one), str(other)) for one, other in event.get("datasets") or ()),
            sample_input_dataset=event.get("sample_input_dataset"),
            sample_output_dataset=event.get("sample_output_dataset"),
            resource_configuration=event.get("resource_configuration"),
            experiment=_experiment(self._attempt, self._dag),
        )
        self._log.info("Registered model %s", model.id)
        return model.id

    # Writing

    def _end(self, state: str, *, reason: str = "", error: str | None = None) -> None:
        end = declared_end(self._events)  # type: ignore[arg-type]
        ended = utc_now()
        self._save(
            state=state,
            reason=reason or (end.details if end and end.details else self.record.reason),
            error=error,
            ended=ended,
            seconds=self._seconds(ended),
            phases=self._phases(),
        )

    def _seconds(self, ended: str) -> float:
        """How long this try took; the clock that does not jump is good for one process only."""
        if not self._resumed or self.record.started is None:
            return round(time.monotonic() - self._started, 3)
        began = datetime.fromisoformat(self.record.started)
        return round((datetime.fromisoformat(ended) - began).total_seconds(), 3)

    def _phases(self) -> dict[str, float]:
        phases = dict(self.record.phases) if self._resumed else {}
        for name, seconds in (self._watcher.phases if self._watcher else {}).items():
            phases[name] = round(phases.get(name, 0.0) + seconds, 3)
        return phases

    def _save(self, **changes: Any) -> None:
        self.record = self.record.with_(**changes)
        self.record.save(self._attempt.records)
        tell_changed(self.record)


def run_record(attempt: Attempt, dag: DAG) -> RunRecord:
    """The record of the run that a try belongs to, for whichever task comes first."""
    return RunRecord(
        dag_id=attempt.dag_id,
        run_id=attempt.run_id,
        experiment=_experiment(attempt, dag),
        tags=dict(attempt.submission.tags),
        properties=dict(attempt.submission.properties),
        created=utc_now(),
        description=attempt.submission.description or dag.description or "",
        parameters=dict(attempt.parameters),
        steps=tuple(declared_steps(dag)),
        trigger=attempt.trigger,
        software={
            "mlsteps": mlsteps.__version__,
            "airflow": version("apache-airflow-core"),
            "python": platform.python_version(),
        },
    )


def _experiment(attempt: Attempt, dag: DAG) -> str:
    return attempt.submission.experiment or dag.dag_display_name or attempt.dag_id


def declared_steps(dag: DAG) -> Iterator[DeclaredStep]:
    """The steps among a DAG's tasks."""
    from mlsteps.steps.base import is_step, step_name

    return (DeclaredStep(task.task_id, step_name(task)) for task in dag.tasks if is_step(task))

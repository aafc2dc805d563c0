"""Bind: a resolved step becomes a job, with a snapshot of its code and places for its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.compute import JobInput, JobOutput, StepJob
from mlsteps.compute.tokens import substitute
from mlsteps.data import Datastore, OutputFileDatasetConfig, PipelineData
from mlsteps.data.stores.base import clean_path
from mlsteps.records import latest_versions, layout, parent_metric_events, read_run, read_steps
from mlsteps.reuse.selection import nothing_of
from mlsteps.reuse.snapshot import Snapshot
from mlsteps.reuse.snapshot_store import store_snapshot
from mlsteps.run.context import ParentContext, WorkspaceReference
from mlsteps.steps.caches import digest_cache, environment_locks
from mlsteps.steps.frozen import code_of
from mlsteps.steps.parameter_texts import filled_path
from mlsteps.steps.parameters import parameter_variable
from mlsteps.steps.resolving import ResolvedInput, ResolvedStep, as_text

if TYPE_CHECKING:
    from mlsteps.steps.attempt import Attempt
    from mlsteps.steps.base import PipelineStep
    from mlsteps.steps.ports import OutputPort
    from mlsteps.workspace import Workspace


@dataclass(frozen=True)
class BoundStep:
    """A step with everything decided that can be decided before its script runs.

    :param job: What the compute target is handed.
    :param snapshot: The source directory as it was read.
    :param resolved: What the job was made from.
    """

    job: StepJob
    snapshot: Snapshot
    resolved: ResolvedStep


def bind(
    attempt: Attempt, resolved: ResolvedStep, *, fingerprint: str = "", resumed: bool = False
) -> BoundStep:
    """The step as it will run now.

    :param fingerprint: Of its key.
    :param resumed: Whether its job was started before, by an earlier part of this try.
    """
    step, config = attempt.step, attempt.workspace.config
    snapshot, archive = _code(attempt)
    arguments = (substitute(argument, resolved.values) for argument in resolved.arguments)
    job = StepJob(
        id=attempt.step_run_id,
        command=(*step.command(), *arguments),
        snapshot=archive,
        inputs=tuple(_job_input(given) for given in resolved.inputs),
        outputs=tuple(_output(attempt, port, resolved) for port in step.output_ports),
        run_configuration=step.run_configuration,
        variables=_variables(attempt, resolved),
        context=_run_context(attempt, resolved.parameters),
        time_limit=getattr(step.run_configuration, "max_run_duration_seconds", None) or None,
        scratch=config.folder / "scratch",
        environments=config.folder / "environments",
        input_cache=config.folder / "input-cache",
        locks=environment_locks(attempt.workspace),
        step=layout.step_run_id(attempt.dag_id, attempt.run_id, attempt.task_id, attempt.map_index, 0),
        task_limit=step.execution_timeout.total_seconds() if step.execution_timeout else None,
        resumed=resumed,
        fingerprint=fingerprint,
        tried_again=attempt.try_number < attempt.max_tries,
    )
    return BoundStep(
        job=job,
        snapshot=snapshot,
        resolved=resolved,
    )


def _code(attempt: Attempt) -> tuple[Snapshot, Path | None]:
    """The source directory as it is now, and its archive on this machine."""
    step = attempt.step
    if not step.takes_source:
        return nothing_of(step.source_directory), None
    if step.frozen_code is not None:
        snapshot = code_of(step, attempt.workspace)
        return snapshot, snapshot.archive()
    return store_snapshot(
        step.source_directory,
        attempt.records,
        layout.SNAPSHOTS,
        attempt.workspace.config.folder / "snapshots",
        digest_cache(attempt.workspace),
        step.taken_along(),
    )


def _job_input(given: ResolvedInput) -> JobInput:
    port = given.port
    return JobInput(
        port.name,
        port.token,
        port.variable,
        given.store,
        given.path,
        port.mode,
        port.path_on_compute,
        given.dataset,
    )


def _output(attempt: Attempt, port: OutputPort, resolved: ResolvedStep) -> JobOutput:
    data = port.data
    fixed = attempt.step.output_place(resolved)
    if fixed is not None:
        place, path = fixed
        return JobOutput(
            port.name,
            port.token,
            port.variable,
            place.store,
            path,
            create_directory=False,
            datastore=place.name,
        )
    datastore = output_datastore(attempt.step, attempt.workspace, port)
    if isinstance(data, PipelineData):
        upload = data.output_mode == "upload"
        return JobOutput(
            port.name,
            port.token,
            port.variable,
            datastore.store,
            # Every try writes to a place of its own: what a killed one left is never mixed in.
            f"azureml/{attempt.step_run_id}/{port.name}",
            create_directory=False,
            collect_from=(data.output_path_on_compute or f"azureml_outputs/{port.name}") if upload else None,
            datastore=datastore.name,
        )
    path = filled_path(attempt.step.name, "outputs", data.path, resolved.values)
    path = path.replace("{run-id}", attempt.step_run_id).replace("{output-name}", port.name)
    return JobOutput(
        port.name,
        port.token,
        port.variable,
        datastore.store,
        clean_path(path, "destination"),
        create_directory=True,
        collect_from=_collect_from(data),
        patterns=tuple(data.source_globs) if data.source_globs else None,
        replace=data.overwrite or data.mode == "mount",
        datastore=datastore.name,
    )


def output_datastore(step: PipelineStep, workspace: Workspace, port: OutputPort) -> Datastore:
    """Where an output is kept: as declared, else the step's default, else the workspace's."""
    return port.data.datastore or step.default_datastore or Datastore(workspace)


def _collect_from(data: OutputFileDatasetConfig) -> str | None:
    if data.source is not None:
        return data.source
    return f"azureml_outputs/{data.name}" if data.mode == "upload" else None


def _variables(attempt: Attempt, resolved: ResolvedStep) -> dict[str, str]:
    """Environment variables by SDK v1's names."""
    variables = {parameter_variable(name): as_text(value) for name, value in resolved.parameters.items()}
    for name in attempt.step.script_params:
        variables[parameter_variable(name)] = resolved.values[f"${parameter_variable(name)}"]
    variables |= {
        name: substitute(str(value), resolved.values)
        for name, value in configured_variables(attempt.step).items()
    }
    variables |= {
        "AZUREML_RUN_ID": attempt.step_run_id,
        "AZUREML_ARM_PROJECT_NAME": attempt.dag_id,
        "AZUREML_ARM_WORKSPACE_NAME": attempt.workspace.name,
        "MLSTEPS_DAG_ID": attempt.dag_id,
        "MLSTEPS_RUN_ID": attempt.run_id,
        "MLSTEPS_TASK_ID": attempt.task_id,
        "MLSTEPS_TRY_NUMBER": str(attempt.try_number),
    }
    return variables


def _run_context(attempt: Attempt, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the script's ``Run`` is told; the compute target adds the paths."""
    run = read_run(attempt.records, attempt.dag_id, attempt.run_id)
    steps = read_steps(attempt.records, run) if run else []
    tags: dict[str, Any] = dict(run.tags) if run else {}
    for other in steps:
        tags |= other.parent_tags
    return {
        "run_id": attempt.step_run_id,
        "name": attempt.step.name,
        "experiment": run.experiment if run else attempt.dag_id,
        "workspace": WorkspaceReference(attempt.workspace.name, attempt.workspace.portable_locator()),
        "attempt": attempt.try_number,
        "parameters": parameters,
        "parent": ParentContext(
            run_id=attempt.run_id, tags=tags, metrics=tuple(dict(e) for e in parent_metric_events(steps))
        ),
        "models": latest_versions(attempt.records),
    }


def configured_variables(step: PipelineStep) -> Mapping[str, Any]:
    """Environment variables that the step's run configuration sets; parameters in them are still tokens."""
    return getattr(step.run_configuration, "environment_variables", None) or {}

"""Bind: parameters get their values, inputs the data they stand for, outputs their places."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlsteps.compute import JobInput, JobOutput, StepJob
from mlsteps.compute.tokens import substitute
from mlsteps.data import (
    DataReference,
    Datastore,
    OutputFileDatasetConfig,
    PipelineData,
    PipelineParameter,
    PortDataReference,
)
from mlsteps.data.stores.base import clean_path
from mlsteps.exceptions import DataNotFoundException, StepDefinitionError
from mlsteps.records import latest_versions, layout, parent_metric_events, read_run, read_steps
from mlsteps.reuse.snapshot import Snapshot
from mlsteps.reuse.snapshot_store import store_snapshot
from mlsteps.run.context import ParentContext, WorkspaceReference
from mlsteps.steps.links import not_made
from mlsteps.steps.parameters import parameter_token, parameter_variable

if TYPE_CHECKING:
    from mlsteps.steps.attempt import Attempt
    from mlsteps.steps.ports import InputPort, OutputPort


@dataclass(frozen=True)
class BoundStep:
    """A step with everything decided that can be decided before its script runs.

    :param job: What the compute target is handed.
    :param snapshot: The source directory as it was read.
    :param parameters: Values of the parameters it uses, by name.
    :param inputs: By port name, for the record: where the data comes from and its digest.
    :param datastores: By output port name: the datastore's name.
    """

    job: StepJob
    snapshot: Snapshot
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Mapping[str, Any]]
    datastores: Mapping[str, str]


def bind(attempt: Attempt) -> BoundStep:
    """The step as it will run now.

    :raises DataNotFoundException: an input does not exist.
    :raises StepDefinitionError: a value cannot be used; the text names step and argument.
    """
    step = attempt.step
    parameters = {p.name: attempt.parameters.get(p.name, p.form_default) for p in step.pipeline_parameters}
    values = {parameter_token(p): _as_text(parameters[p.name]) for p in step.pipeline_parameters}
    for name, value in step.script_params.items():
        values[f"${parameter_variable(name)}"] = substitute(_as_text(value), values)
    inputs = [_Input(attempt, port, parameters) for port in step.input_ports]
    outputs = [_output(attempt, port) for port in step.output_ports]
    config = attempt.workspace.config
    snapshot, archive = store_snapshot(
        step.source_directory, attempt.records, layout.SNAPSHOTS, config.folder / "snapshots"
    )
    job = StepJob(
        id=attempt.step_run_id,
        command=(*step.command(), *(substitute(_as_text(argument), values) for argument in step.arguments)),
        snapshot=archive,
        inputs=tuple(bound.job_input() for bound in inputs),
        outputs=tuple(job_output for job_output, _ in outputs),
        run_configuration=step.run_configuration,
        variables=_variables(attempt, parameters, values),
        context=_run_context(attempt, parameters),
        time_limit=getattr(step.run_configuration, "max_run_duration_seconds", None) or None,
        scratch=config.folder / "scratch",
        environments=config.folder / "environments",
    )
    return BoundStep(
        job=job,
        snapshot=snapshot,
        parameters=parameters,
        inputs={bound.port.name: bound.description() for bound in inputs},
        datastores={job_output.name: datastore.name for job_output, datastore in outputs},
    )


class _Input:
    """An input port and the data it stands for in this run."""

    def __init__(self, attempt: Attempt, port: InputPort, parameters: Mapping[str, Any]) -> None:
        self.port = port
        self.step_name = attempt.step.name
        source: Any = port.source
        if port.step_data is not None:
            source = attempt.step.upstream_outputs.get(port.name)
            if source is None:
                raise not_made(attempt.step.name, port.name)
            if not isinstance(source, PortDataReference):
                raise DataNotFoundException(
                    f"Step {attempt.step.name!r}, input {port.name!r}: the step that makes it left no data "
                    f"in this run, but {source!r}."
                )
        elif isinstance(source, PipelineParameter):
            source = _data_path(attempt, port.name, source, parameters[source.name])
        self.source: PortDataReference | DataReference = source
        self.datastore: Datastore = source.datastore
        self.path = source.path_on_datastore
        store = self.datastore.store
        # A folder that nobody put a file in is data too, where the store can tell.
        local = store.local_path(self.path)
        exists = local.exists() if local is not None else next(iter(store.list(self.path)), None) is not None
        if not exists:
            raise DataNotFoundException(
                f"Step {attempt.step.name!r}, input {port.name!r}: there is nothing at "
                f"{store.url(self.path)} (datastore {self.datastore.name!r})."
            )

    def job_input(self) -> JobInput:
        return JobInput(
            self.port.name,
            self.port.token,
            self.port.variable,
            self.datastore.store,
            self.path,
            self.port.mode,
            self.port.path_on_compute,
        )

    def description(self) -> Mapping[str, Any]:
        described: dict[str, Any] = {
            "datastore": self.datastore.name,
            "path": self.path,
            "mode": self.port.mode,
        }
        if isinstance(self.source, PortDataReference):
            described |= {
                "digest": self.source.digest,
                "bytes": self.source.bytes,
                "files": self.source.number_of_files,
                "from": self.source.producer.text,
            }
        return described


def _data_path(attempt: Attempt, port: str, parameter: PipelineParameter, value: str) -> DataReference:
    """The data that a DataPath parameter's value ``datastore/path`` points at."""
    name, slash, path = str(value).partition("/")
    if not slash:
        raise StepDefinitionError(
            attempt.step.name, parameter.name, f"{value!r} is no data path", "Write it as datastore/path."
        )
    return DataReference(Datastore(attempt.workspace, name or None), port, path)


def _output(attempt: Attempt, port: OutputPort) -> tuple[JobOutput, Datastore]:
    data = port.data
    datastore = data.datastore or attempt.step.default_datastore or Datastore(attempt.workspace)
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
        ), datastore
    path = data.path.replace("{run-id}", attempt.step_run_id).replace("{output-name}", port.name)
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
    ), datastore


def _collect_from(data: OutputFileDatasetConfig) -> str | None:
    if data.source is not None:
        return data.source
    return f"azureml_outputs/{data.name}" if data.mode == "upload" else None


def _variables(attempt: Attempt, parameters: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    """Environment variables by SDK v1's names."""
    variables = {parameter_variable(name): _as_text(value) for name, value in parameters.items()}
    for name in attempt.step.script_params:
        variables[parameter_variable(name)] = values[f"${parameter_variable(name)}"]
    configured = getattr(attempt.step.run_configuration, "environment_variables", None) or {}
    variables |= {name: substitute(str(value), values) for name, value in configured.items()}
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


def _as_text(value: object) -> str:
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)

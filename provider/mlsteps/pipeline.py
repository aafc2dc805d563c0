"""Pipeline: steps that belong together, and the DAG they become."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG

from mlsteps.exceptions import MlstepsException, PipelineParameterError, PipelineValidationError
from mlsteps.graph import Graph
from mlsteps.recurrence import ScheduleRecurrence
from mlsteps.sensors import ReuseSensor
from mlsteps.steps.base import names_of_steps
from mlsteps.steps.checks import SKIP, SUCCESS
from mlsteps.steps.declaration import declaring_file
from mlsteps.steps.directories import find_directory
from mlsteps.steps.form import form_field, offer_regeneration
from mlsteps.steps.task_ids import free_task_id
from mlsteps.steps.which_compute import check_compute_name

if TYPE_CHECKING:
    from mlsteps.data import Datastore, PipelineParameter
    from mlsteps.definitions import Definition
    from mlsteps.publishing import PublishedPipeline
    from mlsteps.runs import PipelineRun, RunRequest
    from mlsteps.steps import PipelineStep
    from mlsteps.workspace import Workspace

# The task that plans what is reused.
SENSOR_ID = "reuse"


class Pipeline:
    """A pipeline of steps.

    >>> pipeline = Pipeline(workspace, steps=[compare])   # what compare needs comes along
    >>> dag = pipeline.to_dag("compare_models", schedule="@daily")

    :param workspace: Where it works.
    :param steps: A step, a list of steps or StepSequences nested at will, or data (meaning the step that
        makes it). A list alone sets no order: order comes from data, ``run_after`` and StepSequence.
    :param description: For people; shown in Airflow.
    :param default_datastore: Where outputs go that name no datastore.
    :param default_source_directory: For steps that name none.
    :param resolve_closure: Add steps that the given ones need.
    :param on_reuse: For steps that do not say: ``skip`` (default) shows a step that was reused as skipped,
        ``success`` as one that ran.

    :raises PipelineValidationError: the steps do not form a pipeline.
    :raises PipelineParameterError: a parameter has two defaults.

    (SDK v1: ``azureml.pipeline.core.Pipeline``.)
    """

    def __init__(
        self,
        workspace: Workspace,
        steps: Any,
        description: str | None = None,
        default_datastore: Datastore | str | None = None,
        default_source_directory: str | os.PathLike[str] | None = None,
        resolve_closure: bool = True,
        *,
        on_reuse: str | None = None,
        **kwargs: Any,
    ) -> None:
        if on_reuse not in (None, SKIP, SUCCESS):
            raise PipelineValidationError(
                f"Pipeline, argument 'on_reuse': expected {SKIP!r} or {SUCCESS!r}, got {on_reuse!r}."
            )
        self.on_reuse = on_reuse
        unknown = sorted(
            set(kwargs) - {"_workflow_provider", "_service_endpoint", "enable_email_notification"}
        )
        if unknown:
            raise PipelineValidationError(f"Pipeline got an unknown argument {unknown[0]!r}.")
        self.workspace = workspace
        self.description = description
        self._file = declaring_file()
        self.default_source_directory = self._found(default_source_directory)
        if isinstance(default_datastore, str):
            from mlsteps.data import Datastore

            default_datastore = Datastore(workspace, default_datastore)
        self.default_datastore = default_datastore
        self._graph = Graph(steps, resolve_closure)
        self._parameters = self._graph.params
        for step in self._graph.steps:
            step.check_code(self.source_directory_of(step))
        if workspace.known_without_lookup():
            self._check_names()

    def __repr__(self) -> str:
        return f"Pipeline({[step.name for step in self._graph.steps]})"

    @property
    def graph(self) -> Graph:
        """Its steps and the order among them."""
        return self._graph

    @property
    def parameters(self) -> Mapping[str, PipelineParameter]:
        """Its parameters by name."""
        return self._parameters

    def validate(self) -> list[str]:
        """Everything that can be found wrong before a run, as texts; empty is good.

        Also looks names up that a DAG file may not: compute targets and datastores of the workspace.
        """
        problems = []
        for step in self._graph.steps:
            try:
                step.resolve_compute_target(step.workspace or self.workspace)
            except MlstepsException as error:
                problems.append(str(error))
            for port in step.output_ports:
                datastore = port.data.datastore or self.default_datastore
                try:
                    if datastore is not None:
                        _ = datastore.store
                except MlstepsException as error:
                    problems.append(f"Step {step.name!r}, output {port.name!r}: {error}")
        return problems

    def to_dag(self, dag_id: str, schedule: Any = None, **dag_arguments: Any) -> DAG:
        """The pipeline as an Airflow DAG. Assign it to a name in a DAG file, and Airflow has it.

        :param dag_id: The DAG's id.
        :param schedule: Cron text, timetable, assets, a ScheduleRecurrence; None is run only when triggered.
        :param dag_arguments: Whatever else ``airflow.sdk.DAG`` takes; ``params`` are added to the pipeline's.
        """
        fields = {name: form_field(parameter) for name, parameter in self._parameters.items()}
        dag_arguments["params"] = {**fields, **(dag_arguments.get("params") or {})}
        dag_arguments.setdefault("description", self.description)
        dag_arguments.setdefault("catchup", False)
        if isinstance(schedule, ScheduleRecurrence):
            from mlsteps.timetables import RecurrenceTimetable

            schedule = RecurrenceTimetable(schedule)
        dag = DAG(dag_id=dag_id, schedule=schedule, **dag_arguments)
        dag.fileloc = declaring_file() or self._file or dag.fileloc
        made: dict[int, PipelineStep] = {}
        for step in self._graph.steps:
            task_id, changes = free_task_id(step.task_id, dag), self._changes(step)
            if dag.default_args:
                made[id(step)] = step.declared_again(**{"task_id": task_id, **changes, "dag": dag})
            else:
                made[id(step)] = step.copied_into(dag, task_id, **changes)
        for edge in self._graph.edges:
            if not edge.data:
                made[id(edge.after)].set_upstream(made[id(edge.before)])
        self._put_sensor_in_front(dag)
        offer_regeneration(dag, names_of_steps)
        return dag

    @staticmethod
    def _put_sensor_in_front(dag: DAG) -> None:
        """One task that skips all steps that are unchanged, if any step wants that."""
        steps: list[Any] = list(dag.tasks)
        if any(step.allow_reuse and step.skips_when_reused for step in steps):
            sensor = ReuseSensor(task_id=free_task_id(SENSOR_ID, dag), dag=dag)
            sensor.set_downstream([step for step in steps if not step.upstream_task_ids])

    def submit(
        self,
        experiment_name: str,
        pipeline_parameters: Mapping[str, Any] | None = None,
        continue_on_step_failure: bool = False,
        regenerate_outputs: bool = False,
        parent_run_id: str | None = None,
        credential_passthrough: bool | None = None,
        **kwargs: Any,
    ) -> PipelineRun:
        """Run it now, under an experiment; see :meth:`mlsteps.Experiment.submit`.

        :raises PipelineParameterError: a parameter is unknown or has the wrong type.
        """
        from mlsteps.runs import Experiment

        if kwargs:
            raise PipelineValidationError(f"submit got an unknown argument {sorted(kwargs)[0]!r}.")
        return Experiment(self.workspace, experiment_name).submit(
            self,
            pipeline_parameters=pipeline_parameters,
            continue_on_step_failure=continue_on_step_failure,
            regenerate_outputs=regenerate_outputs,
            parent_run_id=parent_run_id,
        )

    def run_in_process(self, request: RunRequest) -> PipelineRun:
        """Run it in this process to its end; what :meth:`mlsteps.Experiment.submit` calls."""
        from mlsteps.submission import run_in_process

        return run_in_process(self, request)

    def run_on_airflow(self, request: RunRequest) -> PipelineRun:
        """Publish it under the experiment's name, unless the newest one of that name is this, and run that.

        What :meth:`mlsteps.Experiment.submit` calls where the workspace names an Airflow.
        """
        from mlsteps.publishing import newest_called, publish
        from mlsteps.publishing.starting import start_on_airflow

        request = replace(request, parameters=self.check_parameters(request.parameters))
        definition, name = self.definition(), request.experiment.name
        newest = newest_called(self.workspace, name)
        if newest is None or newest.graph_id != definition.digest:
            newest = publish(self.workspace, definition, name, None, None, None)
        return start_on_airflow(newest, request)

    def definition(self, *, for_record: bool = False) -> Definition:
        """What it is, as JSON, with its code kept in the workspace: what :meth:`publish` writes.

        :param for_record: Whether nobody asked for it: then what is in no other record is refused.
        :raises StepDefinitionError: naming a step and the argument that cannot be written down.
        """
        from mlsteps.definitions import Definition, Freezer

        return Definition.of(
            self._graph,
            self.workspace,
            [self.source_directory_of(step) for step in self._graph.steps],
            description=self.description,
            on_reuse=self.on_reuse,
            default_datastore=self.default_datastore,
            freezer=Freezer(self.workspace, for_record=for_record),
        )

    def publish(
        self,
        name: str | None = None,
        description: str | None = None,
        version: str | None = None,
        continue_on_step_failure: bool | None = None,
    ) -> PublishedPipeline:
        """Put it into the workspace's registry, frozen: its code, environments, datasets and defaults.

        Each call is a publication with an id of its own. What was published runs without this project's
        folder, and with the DAG bundle of published pipelines it is a DAG of Airflow, ``published.<name>``.

        :param name: What it is called; default: ``pipeline``.
        :param description: Default: the pipeline's.
        :param version: What this publication is called.
        :param continue_on_step_failure: Whether steps go on that do not depend on one that failed.
        :raises StepDefinitionError: a step holds what cannot be written down, such as a function; the text
            names the step and the argument.
        """
        from mlsteps.publishing import publish

        return publish(
            self.workspace, self.definition(), name, description, version, continue_on_step_failure
        )

    @staticmethod
    def load_yaml(workspace: Workspace, filename: str | os.PathLike[str]) -> Pipeline:
        """The pipeline that a YAML file in SDK v1's format describes.

        Folders and run configurations that it names are looked for beside it, then in the working directory.

        :raises PipelineValidationError: the file cannot be read, or a setting of it is wrong; the text says
            which.
        """
        from mlsteps.publishing.v1_yaml import load_yaml

        steps, description = load_yaml(workspace, filename)
        return Pipeline(workspace, steps, description)

    @staticmethod
    def from_definition(workspace: Workspace, definition: Definition) -> Pipeline:
        """The pipeline that a definition describes. Asks nothing of the workspace.

        :raises UserErrorException: something in it is wrong; the text says where.
        """
        from mlsteps.definitions import readable

        with readable("The pipeline of a definition cannot be made"):
            steps, default_datastore = definition.parts(workspace)
            return Pipeline(
                workspace,
                steps,
                definition.description,
                default_datastore,
                on_reuse=definition.on_reuse,
            )

    def check_parameters(self, values: Mapping[str, Any] | None) -> dict[str, Any]:
        """Values for a run, as JSON.

        :raises PipelineParameterError: one is unknown or has another type than its default.
        """
        checked = {}
        for name, value in (values or {}).items():
            if name not in self._parameters:
                known = ", ".join(sorted(self._parameters)) or "no parameters"
                raise PipelineParameterError(f"The pipeline has no parameter {name!r}; it has {known}.")
            checked[name] = self._parameters[name].check(value)
        return checked

    def read_parameters(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """As :meth:`check_parameters`, with texts read as the parameter's type, as SDK v1's services did.

        :raises PipelineParameterError: one is unknown, or its value is none of its type.
        """
        known = self._parameters
        return self.check_parameters(
            {
                name: known[name].from_text(value) if name in known and isinstance(value, str) else value
                for name, value in values.items()
            }
        )

    def _changes(self, step: PipelineStep) -> dict[str, Any]:
        """What the pipeline adds to a step's own declaration."""
        given = step.declared_arguments
        changes: dict[str, Any] = {}
        if given.get("workspace") is None:
            changes["workspace"] = self.workspace
        if given.get("default_datastore") is None:
            changes["default_datastore"] = self.default_datastore
        if given.get("on_reuse") is None:
            changes["on_reuse"] = self.on_reuse
        # Absolute, because the same step made again must not look beside another file.
        changes["source_directory"] = self.source_directory_of(step)
        return changes

    def source_directory_of(self, step: PipelineStep) -> Path:
        """The source directory that a step has in this pipeline."""
        if step.declared_arguments.get("source_directory") is None:
            return self.default_source_directory or step.source_directory
        return step.source_directory

    def _found(self, directory: str | os.PathLike[str] | None) -> Path | None:
        if directory is None:
            return None
        base = Path(self._file).parent if self._file else Path.cwd()
        try:
            return find_directory(directory, base)
        except FileNotFoundError as error:
            raise PipelineValidationError(f"Pipeline, argument 'default_source_directory': {error}") from None

    def _check_names(self) -> None:
        for step in self._graph.steps:
            if step.workspace is None:
                check_compute_name(step, self.workspace)

"""PublishedPipeline: a pipeline as it was when it was published."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlsteps.definitions import Definition, parse
from mlsteps.exceptions import UserErrorException, WorkspaceException
from mlsteps.publishing.dag_ids import dag_id_of, submit_url
from mlsteps.records.published_pipelines import (
    ACTIVE,
    DISABLED,
    PublishedRecord,
    list_published,
    read_definition_of,
    read_published,
    set_status,
    status_of,
)
from mlsteps.runs import Experiment
from mlsteps.runs.dag_ids import PUBLICATION, PUBLISHED

if TYPE_CHECKING:
    from mlsteps.graph import Graph
    from mlsteps.pipeline import Pipeline
    from mlsteps.runs import PipelineRun, RunRequest
    from mlsteps.workspace import Workspace


class PublishedPipeline:
    """A pipeline in a workspace's registry: its steps, code, environments and data are as they were then.

    Made by ``Pipeline.publish``, found by :meth:`get` and :meth:`list`. With the DAG bundle of published
    pipelines it is a DAG of Airflow: the newest active one of a name, as ``published.<name>``.

    :param graph_id: What its definition is told by.
    :param endpoint: Where a REST client starts a run.
    :param total_run_steps: How many steps it has.

    (SDK v1: ``azureml.pipeline.core.PublishedPipeline``.)
    """

    def __init__(
        self,
        name: str,
        graph_id: str,
        description: str | None,
        version: str | None,
        published_pipeline_id: str,
        status: str,
        endpoint: str,
        total_run_steps: int,
        workspace: Workspace,
        continue_on_step_failure: bool | None = None,
        _pipeline_provider: Any = None,
        **kwargs: Any,
    ) -> None:
        self._name = name
        self._graph_id = graph_id
        self._description = description
        self._version = version
        self._id = published_pipeline_id
        self._status = status
        self._endpoint = endpoint
        self._total_run_steps = total_run_steps
        self.workspace = workspace
        self._continue_on_step_failure = continue_on_step_failure

    def __repr__(self) -> str:
        return (
            f"PublishedPipeline(name={self._name!r}, id={self._id!r}, version={self._version!r}, "
            f"status={self._status!r})"
        )

    @staticmethod
    def get(workspace: Workspace, id: str) -> PublishedPipeline:
        """The published pipeline with this id.

        :raises WorkspaceException: the workspace has none.
        """
        record = read_published(workspace.record_store(), id)
        if record is None:
            raise WorkspaceException(
                f"Workspace {workspace.name!r} has no published pipeline {id!r}. "
                f"PublishedPipeline.list(workspace) says which it has."
            )
        return PublishedPipeline.from_record(workspace, record)

    @staticmethod
    def from_record(workspace: Workspace, record: PublishedRecord) -> PublishedPipeline:
        """The published pipeline that a record is of."""
        return PublishedPipeline(
            record.name,
            record.definition,
            record.description,
            record.pipeline_version,
            record.id,
            status_of(workspace.record_store(), record.id),
            submit_url(dag_id_of(PUBLISHED, record.name), "PipelineSubmit", record.id),
            len(record.step_names),
            workspace,
            record.continue_on_step_failure,
        )

    @staticmethod
    def list(workspace: Workspace, active_only: bool = True) -> builtins.list[PublishedPipeline]:
        """The workspace's published pipelines, the newest first.

        :param active_only: Leave disabled ones out.
        """
        records = list_published(workspace.record_store())
        found = [PublishedPipeline.from_record(workspace, record) for record in records]
        return [one for one in found if one.status == ACTIVE or not active_only]

    @staticmethod
    def get_all(workspace: Workspace, active_only: bool = True) -> builtins.list[PublishedPipeline]:
        """The same as :meth:`list`, as SDK v1 called it earlier."""
        return PublishedPipeline.list(workspace, active_only)

    # What it is

    @property
    def id(self) -> str:
        """Its id; each publication has one of its own."""
        return self._id

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @property
    def description(self) -> str | None:
        """What its publisher said of it."""
        return self._description

    @property
    def version(self) -> str | None:
        """What its publisher calls this publication."""
        return self._version

    @property
    def graph_id(self) -> str:
        """The digest of its definition: equal ones are equal pipelines."""
        return self._graph_id

    @property
    def status(self) -> str:
        """``Active`` or ``Disabled``."""
        return self._status

    @property
    def endpoint(self) -> str:
        """Where a REST client starts a run, with SDK v1's body and a token of Airflow's."""
        return self._endpoint

    @property
    def total_run_steps(self) -> int:
        """How many steps it has."""
        return self._total_run_steps

    @property
    def continue_on_step_failure(self) -> bool | None:
        """Whether steps go on that do not depend on one that failed, for who does not say."""
        return self._continue_on_step_failure

    def definition(self) -> Definition:
        """What was published.

        :raises UserErrorException: it is damaged, or of a newer mlsteps; the text says where.
        """
        try:
            text = read_definition_of(self.workspace.record_store(), self._id)
        except FileNotFoundError:
            raise WorkspaceException(f"The definition of {self!r} is gone.") from None
        return parse(text)

    def pipeline(self) -> Pipeline:
        """A pipeline of the steps that were published, with their code as it was then."""
        return pipeline_of(self.workspace, self.definition())

    def get_graph(self) -> Graph:
        """Its steps and the order among them."""
        return self.pipeline().graph

    def get_step_names(self) -> builtins.list[str]:
        """The names of its steps, in an order in which they can run."""
        return self.definition().step_names

    # What can be done with it

    def disable(self) -> None:
        """Let nobody run it until :meth:`enable`. Is it the DAG of its name, that is paused."""
        self._set_status(DISABLED)

    def enable(self) -> None:
        """Let it be run again."""
        self._set_status(ACTIVE)

    def _set_status(self, status: str) -> None:
        set_status(self.workspace.record_store(), self._id, status)
        self._status = status

    def submit(
        self,
        workspace: Workspace,
        experiment_name: str,
        pipeline_parameters: Mapping[str, Any] | None = None,
        parent_run_id: str | None = None,
        continue_on_step_failure: bool | None = None,
    ) -> PipelineRun:
        """Run it now, in this process, to its end; or on the Airflow that the workspace names.

        :param workspace: The one it was published in.
        :param pipeline_parameters: Values by name. Texts are read as the parameter's type, as in SDK v1.
        :param parent_run_id: Kept among the run's properties, as ``ParentRunId``.
        :param continue_on_step_failure: Default: as it was published.
        :raises UserErrorException: it is disabled, or was published in another workspace.
        :raises PipelineParameterError: a parameter is unknown or has the wrong type.
        """
        if workspace != self.workspace:
            raise UserErrorException(
                f"{self!r} was published in {self.workspace!r}, and can be submitted there only."
            )
        return Experiment(workspace, experiment_name).submit(
            self,
            pipeline_parameters=pipeline_parameters,
            continue_on_step_failure=continue_on_step_failure,
            parent_run_id=parent_run_id,
        )

    def run_in_process(self, request: RunRequest) -> PipelineRun:
        """Run it in this process to its end; what :meth:`mlsteps.Experiment.submit` calls."""
        if request.regenerate_outputs:
            raise UserErrorException(
                "regenerate_outputs is for pipelines; what was published runs as it was published. "
                "Trigger its DAG with regenerate_outputs, or disable reuse and publish again."
            )
        pipeline = self._to_run()
        return pipeline.run_in_process(self._completed(request, pipeline))

    def run_on_airflow(self, request: RunRequest) -> PipelineRun:
        """Start it on the Airflow that the workspace names; what :meth:`mlsteps.Experiment.submit` calls."""
        from mlsteps.publishing.starting import start_on_airflow

        request = self._completed(request, self._to_run())
        newest = newest_called(self.workspace, self._name)
        if newest is None or newest.id != self._id:
            raise UserErrorException(
                f"{self!r} is not what Airflow runs by that name, but {newest!r}. Submit that one "
                f"or publish this one anew: published.pipeline().publish({self._name!r})."
            )
        return start_on_airflow(self, request)

    def _to_run(self) -> Pipeline:
        if status_of(self.workspace.record_store(), self._id) != ACTIVE:
            raise UserErrorException(f"{self!r} is disabled: enable() it to run it.")
        return self.pipeline()

    def _completed(self, request: RunRequest, pipeline: Pipeline) -> RunRequest:
        """What is wanted, with what was said when it was published."""
        go_on = request.continue_on_step_failure
        return replace(
            request,
            parameters=pipeline.read_parameters(request.parameters),
            continue_on_step_failure=self._continue_on_step_failure if go_on is None else go_on,
            properties={PUBLICATION: self._id},
        )

    def save(self, path: str | None = None) -> str:
        """Write it as a YAML file in SDK v1's format, which ``Pipeline.load_yaml`` reads.

        :param path: The file, or a folder for ``<name>.yml``; default: the working directory.
        :returns: The file's path.
        :raises UserErrorException: something in it has no place in that format; the text says what.
        """
        from mlsteps.publishing.v1_yaml import save_yaml

        pipeline = self.pipeline()
        pipeline.description = self._description
        return save_yaml(pipeline, self._name, path)


def newest_called(workspace: Workspace, name: str) -> PublishedPipeline | None:
    """The newest active publication of a name, which is its DAG."""
    store = workspace.record_store()
    called = (record for record in list_published(store) if record.name == name)
    newest = next((record for record in called if status_of(store, record.id) == ACTIVE), None)
    return None if newest is None else PublishedPipeline.from_record(workspace, newest)


def pipeline_of(workspace: Workspace, definition: Definition) -> Pipeline:
    """The pipeline that a definition describes."""
    # By name: Pipeline.publish comes here.
    made: Pipeline = import_module("mlsteps.pipeline").Pipeline.from_definition(workspace, definition)
    return made

"""Inlets and outlets: a step's data as Airflow assets, so that DAGs can be scheduled on what it makes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, BaseOperator

from mlsteps.asset_uris import data_uri, fits, output_uri
from mlsteps.data import DataReference, OutputFileDatasetConfig, PortDataReference
from mlsteps.exceptions import MlstepsException
from mlsteps.steps.reusing import recorded_outputs
from mlsteps.steps.task_ids import task_id_from_name

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors.base import OperatorLineage
    from airflow.sdk import Context, XComArg
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from mlsteps.data import Datastore
    from mlsteps.steps.attempt import Attempt
    from mlsteps.steps.base import PipelineStep
    from mlsteps.steps.openlineage import Progress
    from mlsteps.steps.ports import InputPort, OutputPort


def output_asset(dag_id: str, step: str, output: str) -> Asset:
    """The Airflow asset of what a step makes, to schedule DAGs on; the step's DAG need not be at hand.

    >>> DAG("deploy", schedule=[output_asset("forecast", "train", "model")])

    It has an event for each run in which the step really ran, none for those in which it was reused or
    failed. The event's ``extra`` says what was made: :meth:`PortDataReference.deserialize` reads it.

    :param step: The step's name, or its task id where several steps have one name or are in a task group.
    :param output: The output's name.
    """
    return Asset(output_uri(dag_id, task_id_from_name(step), output))


def data_asset(data: DataReference) -> Asset:
    """The Airflow asset of data that lies at a place of a datastore.

    It is an inlet of each step that reads it, and an outlet of each step with an OutputFileDatasetConfig
    whose destination is that very place. Give it to tasks of other kinds that write there.
    """
    return Asset(_place_uri(data.datastore, data.path_on_datastore))


class StepAsset(Asset):
    """An asset that a step declares of itself, beside those it was given."""


class LineageOfStep(BaseOperator):
    """The part of a step that tells Airflow and OpenLineage of its data.

    Its assets are made when a DAG is serialized, which is when somebody asks for them: they need the DAG's
    id, and steps may be constructed before there is one. Tasks that run need them only when they end well.
    """

    if TYPE_CHECKING:
        input_ports: tuple[InputPort, ...]
        output_ports: tuple[OutputPort, ...]
        upstream_outputs: dict[str, XComArg]

    # Whether it is part of a DAG, and not one task of a run.
    declares_lineage: bool = False
    # What it reads and has made, in a run.
    progress: Progress | None = None

    @property
    def inlets(self) -> list[Any]:
        """Airflow assets: those it was given, and those of its inputs."""
        given: list[Any] = self.__dict__["inlets"]
        dag = self.get_dag()
        if dag is None or not self.declares_lineage:
            return _without_own(given)
        return _with(given, _input_uris(dag.dag_id, self.input_ports, self.upstream_outputs))

    @inlets.setter
    def inlets(self, assets: list[Any]) -> None:
        self.__dict__["inlets"] = list(assets)

    @property
    def outlets(self) -> list[Any]:
        """Airflow assets: those it was given, and those of its outputs; see :func:`mlsteps.output_asset`."""
        given: list[Any] = self.__dict__["outlets"]
        dag = self.get_dag()
        if dag is None or not self.declares_lineage:
            return _without_own(given)
        return _with(given, _output_uris(dag.dag_id, self.task_id, self.output_ports))

    @outlets.setter
    def outlets(self, assets: list[Any]) -> None:
        self.__dict__["outlets"] = list(assets)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """What Airflow's OpenLineage provider asks of a step that has ended, also of one that failed."""
        return self.progress.lineage() if self.progress is not None else None


def with_lineage(
    partial: OperatorPartial, inputs: Sequence[InputPort], outputs: Sequence[OutputPort]
) -> OperatorPartial:
    """A step that is going to be mapped, with the assets of its inputs and outputs."""
    given = partial.kwargs
    if given["dag"] is not None:
        dag_id = given["dag"].dag_id
        read = _input_uris(dag_id, inputs, given["upstream_outputs"])
        made = _output_uris(dag_id, given["task_id"], outputs)
        for name, uris in (("inlets", read), ("outlets", made)):
            assets = given[name] or []
            # A new list: where none was given, it is one that all operators share.
            given[name] = _with([*assets] if isinstance(assets, Collection) else [assets], uris)
    return partial


def announce(attempt: Attempt, context: Context, references: Mapping[str, PortDataReference]) -> None:
    """Have Airflow note an event for each output when the step has ended, with what was made."""
    step: PipelineStep = attempt.step
    told = recorded_outputs(step, references, attempt.workspace)
    outlets = {asset.uri: asset for asset in step.outlets if isinstance(asset, Asset)}
    for port in step.output_ports:
        for uri in _uris_of_output(attempt.dag_id, attempt.task_id, port):
            if uri not in outlets:
                outlets[uri] = Asset(uri)
                step.outlets = [*step.outlets, outlets[uri]]
            extra = {**told[port.name], "run_id": attempt.run_id}
            context["outlet_events"][outlets[uri]].extra.update(extra)


def withhold(step: PipelineStep) -> None:
    """Have Airflow note no event although the step ends well: what it hands on is not new."""
    step.outlets = []


def _with(given: list[Any], uris: Iterable[str]) -> list[Any]:
    # In place, because whoever asks for the list may add to it.
    known = {asset.uri for asset in given if isinstance(asset, Asset)}
    for uri in uris:
        if uri not in known:
            known.add(uri)
            given.append(_step_asset(uri))
    return given


@lru_cache(maxsize=4096)
def _step_asset(uri: str) -> StepAsset:
    """One for the step that makes something and all that read it, as making one takes its time."""
    return StepAsset(uri)


def _without_own(assets: list[Any]) -> list[Any]:
    """What a step was given, for the time that it runs.

    Airflow refuses to start a task one of whose assets it does not know as active. That happens to a run of
    an older version of a DAG, and nobody who did not ask for an asset should lose a run by one.
    """
    return [asset for asset in assets if not isinstance(asset, StepAsset)]


def _output_uris(dag_id: str, task_id: str, ports: Iterable[OutputPort]) -> Iterator[str]:
    for port in ports:
        yield from _uris_of_output(dag_id, task_id, port)


def _uris_of_output(dag_id: str, task_id: str, port: OutputPort) -> Iterator[str]:
    uris = [output_uri(dag_id, task_id, port.name)]
    data = port.data
    if isinstance(data, OutputFileDatasetConfig) and data.datastore and "{run-id}" not in data.path:
        uris.append(_place_uri(data.datastore, data.path.replace("{output-name}", port.name)))
    return filter(fits, uris)


def _input_uris(dag_id: str, ports: Iterable[InputPort], made: Mapping[str, XComArg]) -> Iterator[str]:
    for port in ports:
        reference, source = made.get(port.name), port.source
        if reference is not None:
            for maker, key in reference.iter_references():
                yield output_uri(dag_id, maker.task_id, key)
        elif isinstance(source, PortDataReference):
            yield made_uri(source)
        elif type(source) is DataReference:  # those derived from it are of rows, and have no path
            yield from filter(fits, [_place_uri(source.datastore, source.path_on_datastore)])


def made_uri(reference: PortDataReference) -> str:
    """The asset's URI of the output that a reference is of."""
    return output_uri(reference.producer.dag_id, reference.producer.task_id, reference.name)


def _place_uri(datastore: Datastore, path: str) -> str:
    return data_uri(_workspace_name(datastore.workspace), datastore.declared_name, path)


def _workspace_name(workspace: Any) -> str:
    """A workspace by a name that is the same wherever the DAG file is read.

    Not its folder, which in a versioned bundle is another one in each version.
    """
    locator: str = workspace.locator
    if not locator.startswith("folder:"):
        return locator
    try:
        return f"folder:{workspace.config.name}"
    except MlstepsException:  # a task that needs the workspace will say what is wrong with it
        return f"folder:{locator.rstrip('/').rpartition('/')[2]}"

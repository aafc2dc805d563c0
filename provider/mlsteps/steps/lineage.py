"""Inlets and outlets: a step's data as Airflow assets, so that DAGs can be scheduled on what it makes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, BaseOperator

from mlsteps.asset_uris import output_uri
from mlsteps.data import DataReference, PortDataReference
from mlsteps.exceptions import UserErrorException
from mlsteps.steps.places import uri_of_place
from mlsteps.steps.reusing import recorded_outputs
from mlsteps.steps.task_ids import task_id_from_name
from mlsteps.steps.uris import input_uris, output_uris, uris_of_output, uris_of_places

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors.base import OperatorLineage
    from airflow.sdk import Context, XComArg
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

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
    """The Airflow asset of data that lies at a place of a datastore: a path, or a table of a database.

    It is an inlet of each step that reads it, and an outlet of each step with an OutputFileDatasetConfig
    whose destination is that very place, and of each transfer to it. Give it to tasks of other kinds that
    write there.

    :raises UserErrorException: it is the result of a query or of a procedure, which has no place.
    """
    uri = uri_of_place(data)
    if uri is None:
        raise UserErrorException(
            f"{data!r} has no asset: what a query or a procedure reads has no place. Name a table by "
            f"sql_table=."
        )
    return Asset(uri)


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
    def places_read(self) -> Sequence[DataReference]:
        """Data at fixed places that it reads, beside its inputs."""
        return ()

    @property
    def places_written(self) -> Sequence[DataReference]:
        """Data at fixed places that it writes, beside its outputs."""
        return ()

    @property
    def inlets(self) -> list[Any]:
        """Airflow assets: those it was given, and those of its inputs."""
        given: list[Any] = self.__dict__["inlets"]
        dag = self.get_dag()
        if dag is None or not self.declares_lineage:
            return _without_own(given)
        ports = input_uris(dag.dag_id, self.input_ports, self.upstream_outputs)
        return _with(given, chain(ports, uris_of_places(self.places_read)))

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
        ports = output_uris(dag.dag_id, self.task_id, self.output_ports)
        return _with(given, chain(ports, uris_of_places(self.places_written)))

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
        read = input_uris(dag_id, inputs, given["upstream_outputs"])
        made = output_uris(dag_id, given["task_id"], outputs)
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
    for uri, made in _made(attempt, told):
        if uri not in outlets:
            outlets[uri] = Asset(uri)
            step.outlets = [*step.outlets, outlets[uri]]
        context["outlet_events"][outlets[uri]].extra.update({**made, "run_id": attempt.run_id})


def _made(attempt: Attempt, told: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each asset's URI with what was made of it."""
    for port in attempt.step.output_ports:
        for uri in uris_of_output(attempt.dag_id, attempt.task_id, port):
            yield uri, told[port.name]
    for place in attempt.step.places_written:
        for uri in uris_of_places([place]):
            # A transfer has one output or, where it wrote to a table, none.
            yield uri, next(iter(told.values()), {"table": getattr(place, "sql_table", None)})


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

"""DataTransferStep: copies data from one datastore to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from mlsteps.compat import conf
from mlsteps.compute.transfer import SqlEnd, TransferCompute, TransferOptions
from mlsteps.data import (
    DataReference,
    InputPortBinding,
    PipelineData,
    SqlDataReference,
)
from mlsteps.exceptions import StepDefinitionError
from mlsteps.records.step import RAN
from mlsteps.steps.attempt import Attempt
from mlsteps.steps.base import PipelineStep
from mlsteps.steps.parameter_texts import filled_path
from mlsteps.steps.ports import is_parameter_tuple
from mlsteps.steps.resolving import data_path

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from mlsteps.compute import ComputeTarget
    from mlsteps.data import Datastore, PortDataReference
    from mlsteps.steps.ports import StepData
    from mlsteps.steps.resolving import ResolvedStep
    from mlsteps.workspace import Workspace

OUTPUT = "_data_transfer_output"
_KINDS = ("file", "directory")


class DataTransferStep(PipelineStep):
    """Copies a file or a folder, or rows of a database, from one datastore to another.

    Like rsync by relative path: what is there already and identical is not copied, so a second try goes on
    where the first one stopped; other files at the destination are left alone. A reader of the destination
    sees each file as it was or as it will be, never half of it. Blobs are copied by the storage service.

    Rows become one CSV or Parquet file; files become rows of one table, all or none. A try that is repeated
    does not add them twice; a task that is cleared after it succeeded does.

    :param name: The step's name.
    :param source_data_reference: A DataReference, the output of another step, a dataset's
        ``as_named_input()``, ``(PipelineParameter, DataPathComputeBinding)`` or a
        :class:`~mlsteps.SqlDataReference`.
    :param destination_data_reference: A DataReference, ``(PipelineParameter, DataPathComputeBinding)``, or a
        SqlDataReference with ``sql_table``.
    :param compute_target: Accepted for SDK v1, which needed a Data Factory: the worker copies.
    :param source_reference_type: ``file`` or ``directory``; default: what is there.
    :param destination_reference_type: The same; default: what is there, else what the source is. A file that
        goes to a directory keeps its name.
    :param allow_reuse: Copy nothing while the source is unchanged and what was copied still stands. Rows of
        a database are copied each time.

    **Beyond SDK v1:**

    :param mirror: Delete what the destination has and the source has not.
    :param overwrite: What becomes of files of the destination that differ: ``replace``, ``keep`` or
        ``refuse``, which is an error before anything is written.
    :param parallel: Files or requests at a time.
    :param max_bytes_per_second: The most that passes through the worker; copies by a service do not.
    :param deferrable: Whether Airflow's triggerer waits, and no worker, while Azure copies large blobs (above
        256 MiB) from one account to another. Default: ``[operators] default_deferrable``.
    :param file_format: ``csv`` or ``parquet``, for rows; default: by the file's name.
    :param sql_mode: ``append`` rows, and make the table if there is none; ``create``, where it must not be
        there; or ``replace`` all rows of it.

    (SDK v1: ``azureml.pipeline.steps.DataTransferStep``.)
    """

    step_type = "DataTransferStep"
    runs_code = False

    destination: Any
    sql_source: SqlDataReference | None
    source_kind: str | None
    target_kind: str | None
    options: TransferOptions
    load_id: str

    def __init__(
        self,
        name: str,
        source_data_reference: Any = None,
        destination_data_reference: Any = None,
        compute_target: ComputeTarget | str | Any = None,
        source_reference_type: str | None = None,
        destination_reference_type: str | None = None,
        allow_reuse: bool = True,
        *,
        mirror: bool = False,
        overwrite: Literal["replace", "keep", "refuse"] = "replace",
        parallel: int = 8,
        max_bytes_per_second: float | None = None,
        deferrable: bool | None = None,
        file_format: Literal["csv", "parquet"] | None = None,
        sql_mode: Literal["append", "create", "replace"] = "append",
        on_reuse: str | None = None,
        reuse_max_age: timedelta | float | None = None,
        reuse_timeout: timedelta | float | None = None,
        workspace: Workspace | None = None,
        default_datastore: Datastore | None = None,
        upstream_outputs: Mapping[str, XComArg] | None = None,
        **kwargs: Any,
    ) -> None:
        from_sql = isinstance(source_data_reference, SqlDataReference)
        destination = _checked_destination(name, destination_data_reference)
        to_sql = isinstance(destination, SqlDataReference)
        _check_ends(name, source_data_reference, from_sql, to_sql)
        self.__dict__.update(
            destination=destination,
            sql_source=source_data_reference if from_sql else None,
            source_kind=_checked_kind(name, "source_reference_type", source_reference_type),
            target_kind=_checked_kind(name, "destination_reference_type", destination_reference_type),
            options=_checked_options(
                name, mirror, overwrite, parallel, max_bytes_per_second, file_format, sql_mode, deferrable
            ),
            load_id="",
        )
        self._declare(
            name=name,
            inputs=[] if from_sql else [source_data_reference],
            outputs=[] if to_sql else [PipelineData(OUTPUT)],
            # So that the run's value for it is known here.
            arguments=[destination[0]] if isinstance(destination, tuple) else [],
            # Nobody can tell whether rows are still the same.
            allow_reuse=allow_reuse and not from_sql and not to_sql,
            on_reuse=on_reuse,
            reuse_max_age=reuse_max_age,
            reuse_timeout=reuse_timeout,
            workspace=workspace,
            default_datastore=default_datastore,
            upstream_outputs=upstream_outputs,
            **kwargs,
        )

    def command(self) -> tuple[str, ...]:
        """What stands in the record and the key for a command."""
        options = {key: value for key, value in vars(self.options).items() if key in ("mirror", "overwrite")}
        return ("transfer", *(f"{key}={value}" for key, value in sorted(options.items())))

    def get_output(self) -> PipelineData:
        """What was copied, for the inputs of steps behind (SDK v1).

        :raises StepDefinitionError: the destination is a table, which no script can mount.
        """
        if not self.output_ports:
            raise StepDefinitionError(
                self.name, "get_output", "its destination is a table", "Use run_after()."
            )
        data = self.output_ports[0].data
        assert isinstance(data, PipelineData)
        return data

    @property
    def own_data(self) -> Sequence[StepData]:
        """What :meth:`get_output` gives."""
        return [port.data for port in self.output_ports]

    @property
    def outputs_lie_among_others(self) -> bool:  # type: ignore[override]
        """What else the destination holds is no concern of its, unless it mirrors."""
        return not self.options.mirror

    @property
    def names_compute_target(self) -> bool:
        """No: whatever SDK v1's Data Factory was called."""
        return False

    @property
    def places_read(self) -> Sequence[DataReference]:
        """The rows that it copies, where they are a table's."""
        return [self.sql_source] if self.sql_source is not None else []

    @property
    def places_written(self) -> Sequence[DataReference]:
        """Its destination; none where the run decides."""
        return [self.destination] if isinstance(self.destination, DataReference) else []

    def resolve_compute_target(
        self, workspace: Workspace | None = None, values: Mapping[str, str] | None = None
    ) -> ComputeTarget:
        """What copies: the worker itself."""
        owner = workspace or self.effective_workspace()

        def end(reference: Any) -> SqlEnd | None:
            if not isinstance(reference, SqlDataReference):
                return None
            return SqlEnd(reference, lambda: owner.open_sql(reference.datastore.name))

        return TransferCompute(
            self.name, self.options, owner.locator, end(self.sql_source), end(self.destination), self.load_id
        )

    def execute(self, context: Context) -> dict[str, PortDataReference]:
        """Copy; see ``mlsteps.steps.lifecycle``."""
        if isinstance(self.destination, SqlDataReference):
            self.load_id = _load_id(Attempt.of(self, context))
        return super().execute(context)

    def output_place(self, resolved: ResolvedStep) -> tuple[Datastore, str] | None:
        """Where the copy lies: the destination, or the file of the source's name below it.

        :raises StepDefinitionError: a folder cannot be copied onto a file.
        """
        destination = self.destination
        if isinstance(destination, tuple):
            parameter = destination[0]
            value = resolved.parameters[parameter.name]
            destination = data_path(self.name, resolved.workspace, OUTPUT, parameter, value)
        datastore = destination.datastore
        path = filled_path(
            self.name, "destination_data_reference", destination.path_on_datastore, resolved.values
        )
        name, kind = self._source_name_and_kind(resolved)
        there = self.target_kind or _kind_at(datastore, path)
        if kind == "directory" and there == "file":
            raise StepDefinitionError(
                self.name,
                "destination_data_reference",
                f"{datastore.store.url(path)} is a file, and the source a directory",
                "Copy it to a folder.",
            )
        if kind == "file" and there == "directory":
            return datastore, "/".join(part for part in (path, name) if part)
        return datastore, path

    def _source_name_and_kind(self, resolved: ResolvedStep) -> tuple[str, str]:
        if self.sql_source is not None:
            return f"{self.sql_source.name}.{self.options.file_format or 'csv'}", "file"
        given = resolved.inputs[0]
        kind = "directory" if given.store.stat(given.path) is None else "file"
        if self.source_kind not in (None, kind):
            raise StepDefinitionError(
                self.name,
                "source_reference_type",
                f"{given.store.url(given.path)} is a {kind}, not a {self.source_kind}",
            )
        return PurePosixPath(given.path).name, kind


def _kind_at(datastore: Datastore, path: str) -> str | None:
    """What is there now; None where nothing is. A datastore itself is a directory."""
    store = datastore.store
    local = store.local_path(path)
    if not path or (local is not None and local.is_dir()):
        return "directory"
    if store.stat(path) is not None:
        return "file"
    return "directory" if next(iter(store.list(path)), None) is not None else None


def _load_id(attempt: Attempt) -> str:
    """The same for all tries of a task, until it has succeeded and is cleared."""
    tries = attempt.tries_done(attempt.task_id, attempt.records, attempt.map_index)
    done = sum(record.state == RAN and record.try_number < attempt.try_number for record in tries)
    return "/".join((attempt.dag_id, attempt.run_id, attempt.task_id, str(attempt.map_index), str(done)))


def _checked_destination(step: str, given: object) -> Any:
    if isinstance(given, InputPortBinding):
        given = given.bind_object
    if isinstance(given, SqlDataReference) and given.sql_table is None:
        raise StepDefinitionError(
            step, "destination_data_reference", f"{given!r} names no table to write to", "Give it sql_table=."
        )
    if isinstance(given, DataReference) or is_parameter_tuple(given):
        return given
    raise StepDefinitionError(
        step,
        "destination_data_reference",
        f"{type(given).__name__} {given!r} is no place to copy to",
        "Give a DataReference, such as datastore.path('folder').",
    )


def _check_ends(step: str, source: object, from_sql: bool, to_sql: bool) -> None:
    if source is None:
        raise StepDefinitionError(step, "source_data_reference", "it is missing", "Say what to copy.")
    if from_sql and to_sql:
        raise StepDefinitionError(
            step,
            "destination_data_reference",
            "rows cannot go from one database to another in one step",
            "Copy them to a Parquet file, and with another step from there.",
        )


def _checked_kind(step: str, argument: str, given: object) -> str | None:
    kind = given.lower() if isinstance(given, str) else given
    if kind is None or kind in _KINDS:
        return kind
    raise StepDefinitionError(step, argument, f"{given!r} is neither 'file' nor 'directory'")


def _checked_options(
    step: str,
    mirror: bool,
    overwrite: Any,
    parallel: int,
    rate: float | None,
    file_format: Any,
    sql_mode: Any,
    deferrable: bool | None,
) -> TransferOptions:
    for argument, value, known in (
        ("overwrite", overwrite, ("replace", "keep", "refuse")),
        ("file_format", file_format, (None, "csv", "parquet")),
        ("sql_mode", sql_mode, ("append", "create", "replace")),
    ):
        if value not in known:
            told = ", ".join(repr(one) for one in known if one)
            raise StepDefinitionError(step, argument, f"{value!r} is not one of {told}")
    if type(parallel) is not int or not 1 <= parallel <= 256:
        raise StepDefinitionError(step, "parallel", f"expected a number from 1 to 256, got {parallel!r}")
    if rate is not None and not rate > 0:
        raise StepDefinitionError(step, "max_bytes_per_second", f"expected more than 0, got {rate!r}")
    if deferrable is None:
        deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
    return TransferOptions(
        None, bool(mirror), overwrite, parallel, rate, file_format, sql_mode, bool(deferrable)
    )

"""TransferCompute: copies data where a script would run, in the worker's own process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mlsteps.compute.base import ComputeTarget
from mlsteps.compute.job import JobInput, JobOutcome, JobOutput, JobSuspended, JobWatcher, StepJob
from mlsteps.data.transfer import CopiesPending, LogLines, TransferStopped, transfer
from mlsteps.exceptions import MlstepsException, UserErrorException
from mlsteps.launcher.digest import FILE_PREFIX, digest_file
from mlsteps.launcher.manifest import FileEntry, Manifest

if TYPE_CHECKING:
    from mlsteps.data.sql import SqlDataReference, SqlStore
    from mlsteps.data.stores import FileInfo, Store

Overwrite = Literal["replace", "keep", "refuse"]
SqlMode = Literal["append", "create", "replace"]

# More are not told to the trigger: they are looked at when those have ended.
_MOST_WAITED_FOR = 1000


@dataclass(frozen=True)
class TransferOptions:
    """How a transfer is done; see ``DataTransferStep``."""

    kind: Literal["file", "directory"] | None = None
    mirror: bool = False
    overwrite: Overwrite = "replace"
    parallel: int = 8
    bytes_per_second: float | None = None
    file_format: Literal["csv", "parquet"] | None = None
    sql_mode: SqlMode = "append"
    deferrable: bool = False


@dataclass(frozen=True)
class SqlEnd:
    """The end of a transfer that is a database.

    :param reference: Which rows, or which table.
    :param open: Opens the database.
    """

    reference: SqlDataReference
    open: Callable[[], SqlStore]


class TransferCompute(ComputeTarget):
    """Copies the job's one input to its one output; in place of either there may be a database.

    :param step: The step's name, for errors.
    :param workspace: The locator of the workspace that the datastores belong to.
    :param load_id: The same for every try of one load into a table, so that none adds its rows twice.
    """

    kind = "transfer"

    def __init__(
        self,
        step: str,
        options: TransferOptions,
        workspace: str,
        source: SqlEnd | None = None,
        target: SqlEnd | None = None,
        load_id: str = "",
    ) -> None:
        super().__init__("transfer")
        self._step = step
        self._options = options
        self._workspace = workspace
        self._source = source
        self._target = target
        self._load_id = load_id

    def describe(self) -> Mapping[str, Any]:
        """Name and settings, for records."""
        return {"type": self.kind, "name": self.name}

    def run(self, job: StepJob, watcher: JobWatcher) -> JobOutcome:
        """Copy; see :meth:`ComputeTarget.run`.

        :raises JobSuspended: the storage service goes on by itself.
        :raises MlstepsException: the copy failed; the text names the step and both ends.
        """
        source = self._source.reference if self._source else job.inputs[0]
        target = self._target.reference if self._target else job.outputs[0]
        command = ("transfer", _place(source), _place(target))
        try:
            with watcher.phase("transfer"):
                manifests = self._copy(job, watcher)
        except TransferStopped:
            return JobOutcome(None, None, "The transfer was stopped because its task was.", command)
        except CopiesPending as pending:
            raise JobSuspended(
                "mlsteps.triggers.copies.CopiesTrigger",
                {
                    "workspace": self._workspace,
                    "datastore": job.outputs[0].datastore,
                    "paths": list(pending.paths[:_MOST_WAITED_FOR]),
                },
                pending.message,
            ) from None
        except MlstepsException as error:
            raise type(error)(
                f"Step {self._step!r}, from {source.name!r} ({command[1]}) to {target.name!r} "
                f"({command[2]}): {error}"
            ) from error
        return JobOutcome(0, None, None, command, manifests)

    def _copy(self, job: StepJob, watcher: JobWatcher) -> dict[str, Manifest]:
        def tell(line: str) -> None:
            watcher.on_line("transfer", line)

        if self._source is not None:
            return self._from_database(self._source, job.outputs[0], tell)
        if self._target is not None:
            self._to_database(job.inputs[0], self._target, tell)
            return {}
        return self._between_stores(job.inputs[0], job.outputs[0], watcher, tell)

    def _between_stores(
        self, source: JobInput, target: JobOutput, watcher: JobWatcher, tell: Callable[[str], None]
    ) -> dict[str, Manifest]:
        options = self._options
        result = transfer(
            source.store,
            source.path,
            target.store,
            target.path,
            kind=options.kind,
            mirror=options.mirror,
            overwrite=options.overwrite,
            parallel=options.parallel,
            bytes_per_second=options.bytes_per_second,
            background=options.deferrable,
            told=LogLines(tell),
            stopped=lambda: watcher.stopped,
        )
        tell(str(result))
        paths = [info.below(source.path) for info in source.store.list(source.path)]
        return {target.name: manifest_of(target.store, target.path, paths)}

    def _from_database(
        self, source: SqlEnd, target: JobOutput, tell: Callable[[str], None]
    ) -> dict[str, Manifest]:
        from mlsteps.data.sql import query_to_file

        written = query_to_file(
            source.open(),
            source.reference.source(),
            target.store,
            target.path,
            format=self._options.file_format,
            progress=_Rows(tell),
        )
        tell(f"{written.rows:,} rows in {target.store.url(target.path)}")
        return {target.name: manifest_of(target.store, target.path, [""])}

    def _to_database(self, source: JobInput, target: SqlEnd, tell: Callable[[str], None]) -> None:
        from mlsteps.data.sql import files_to_table

        table = target.reference.sql_table
        if table is None:
            raise UserErrorException(f"{target.reference.name!r} names no table to write to.")
        done = files_to_table(
            source.store,
            [info.path for info in source.store.list(source.path)],
            target.open(),
            table,
            mode=self._options.sql_mode,
            load_id=self._load_id or None,
            format=self._options.file_format,
            progress=_Rows(tell),
        )
        made = ", which was made" if done.created else ""
        again = " (by an earlier try of this load)" if done.repeated else ""
        tell(f"{done.rows:,} rows in table {done.table}{made}{again}")


class _Rows:
    """Tells now and then how many rows have been moved."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        from time import monotonic

        self._tell = tell
        self._now = monotonic
        self._next = monotonic() + 10

    def __call__(self, rows: int, size: int) -> None:
        if self._now() >= self._next:
            self._next = self._now() + 10
            self._tell(f"{rows:,} rows, {size:,} bytes")


def manifest_of(store: Store, path: str, copied: list[str]) -> Manifest:
    """What was copied to ``path``, as it stands there; other files may lie beside it.

    Of a file that was copied without its bytes passing here, what the store knows of it stands for a digest.

    :raises MlstepsException: a file that was copied is not there any more.
    """
    there = {info.below(path): info for info in store.list(path)}
    missing = [below for below in copied if below not in there]
    if missing:
        raise MlstepsException(f"{store.url(f'{path}/{missing[0]}')} was deleted right after it was copied.")
    entries = tuple(FileEntry(below, there[below].size, _digest(store, there[below])) for below in copied)
    return Manifest.of("file" if copied == [""] else "directory", entries)


def _digest(store: Store, info: FileInfo) -> str:
    if info.content is not None and info.content.startswith(FILE_PREFIX):
        return info.content
    local = store.local_path(info.path)
    if local is not None:
        return digest_file(local)
    return FILE_PREFIX + hashlib.sha256(f"{info.content} {info.size}".encode()).hexdigest()


def _place(end: JobInput | JobOutput | SqlDataReference) -> str:
    if isinstance(end, (JobInput, JobOutput)):
        return end.store.url(end.path)
    return repr(end)

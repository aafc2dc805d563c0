"""A job's run on Databricks: started, found again, or taken over from an earlier try whose worker died."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlsteps.compute.databricks.api import Databricks, DatabricksRefusal
from mlsteps.compute.databricks.code import give_run, uploaded, uploaded_run
from mlsteps.compute.databricks.endings import may_still_succeed
from mlsteps.compute.databricks.notes import StartNote, StartNotes
from mlsteps.compute.databricks.parameters import JobValues, PortUrl
from mlsteps.compute.databricks.request import idempotency_token, submit_request
from mlsteps.compute.databricks.run_folder import RunFolder
from mlsteps.compute.databricks.signatures import Signatures, signed_by
from mlsteps.compute.databricks.task import DatabricksTask, Serverless
from mlsteps.compute.databricks.urls import azure_place, cluster_url
from mlsteps.compute.job import JobInput, JobOutput, JobWatcher, StepJob
from mlsteps.exceptions import ComputeTargetException
from mlsteps.launcher.package import build_launcher_zip

if TYPE_CHECKING:
    from mlsteps.compute.databricks.databricks_compute import DatabricksCompute


@dataclass(frozen=True)
class StartedRun:
    """A run that is there.

    :param job: As the try that started it had it.
    :param run: As Databricks tells it.
    :param folder: What ``Run.get_context()`` works with; None where there is no such thing.
    :param signatures: What opens its data, where that is by signatures.
    """

    job: StepJob
    run_id: int
    run: dict[str, Any]
    folder: RunFolder | None
    signatures: Signatures

    def clear(self, databricks: Databricks) -> None:
        """Delete what was there for it alone."""
        self.signatures.delete(databricks)
        if self.folder is not None:
            self.folder.clear()


class Starter:
    """Starts or finds one job's run.

    :param tell: Hears what goes on, line by line.
    """

    def __init__(
        self,
        databricks: Databricks,
        target: DatabricksCompute,
        task: DatabricksTask,
        watcher: JobWatcher,
        tell: Callable[[str], None],
    ) -> None:
        self._databricks, self._target, self._task = databricks, target, task
        self._watcher, self._tell = watcher, tell

    def start(self, job: StepJob) -> StartedRun | None:
        """The job's run; None if it was stopped before there was one.

        :raises ComputeTargetException: it could not be started, or not be asked for.
        """
        notes = StartNotes(job)
        earlier = notes.found()
        if earlier is not None and earlier.is_for(job):
            try:
                started = self._submitted(job, earlier, notes)
                if started is None or earlier.by == job.id or may_still_succeed(started.run):
                    if earlier.job != job.id:
                        self._tell(f"Going on with what an earlier try has started ({earlier.job}).")
                    return started
            except DatabricksRefusal as refusal:  # the run was deleted, or is kept no longer
                if earlier.by == job.id:
                    raise
                self._tell(str(refusal))
        elif earlier is not None and earlier.run_id is not None and not job.resumed:
            self._tell(f"Run {earlier.run_id} of an earlier try is canceled: it computes something else.")
            self._end(earlier.run_id)
        return self._submitted(job, StartNote.of(job), notes)

    def _submitted(self, job: StepJob, note: StartNote, notes: StartNotes) -> StartedRun | None:
        """The run of a note. It is noted before it is there, so that no kill leaves one that nobody knows."""
        current, job = job, note.as_started(job)
        known = current.resumed or note.run_id is not None
        values, folder, signatures = self._prepared(job, known)
        request = submit_request(
            self._target, self._task, values, _name(job, self._task), idempotency_token(job.id)
        )
        if self._watcher.stopped:
            return None
        if not known:
            self._check_cluster()
            signatures.put(self._databricks, job)
        note = replace(note, by=current.id)
        with self._watcher.phase("submit"):
            notes.write(note)
            run_id = self._databricks.submit(request)
            notes.write(replace(note, run_id=run_id))
        return StartedRun(job, run_id, self._databricks.run(run_id), folder, signatures)

    def _signatures(self, ports: Sequence[JobInput | JobOutput], values: JobValues) -> Signatures:
        if self._target.credentials != "sas":
            return Signatures(self._target, self._task, ())
        signed = [
            (port, known.secret, known.setting)
            for port, known in zip(ports, values.ports, strict=True)
            if known.secret and known.setting
        ]
        return Signatures(self._target, self._task, signed)

    def _prepared(self, job: StepJob, known: bool) -> tuple[JobValues, RunFolder | None, Signatures]:
        """What the code is told; everything that it needs is there."""
        task, databricks, target = self._task, self._databricks, self._target
        ports: tuple[JobInput | JobOutput, ...] = (*job.inputs, *job.outputs)
        values = JobValues(
            arguments=job.command[len(task.command) :],
            ports=tuple(port_url(target, task, job.id, port) for port in ports),
            variables=job.variables,
        )
        with self._watcher.phase("upload"):
            if task.kind == "uploaded":
                if job.snapshot is None:
                    raise ComputeTargetException(f"Step {task.step!r} has no source directory to upload.")
                values = replace(values, directory=uploaded(databricks, target, job.snapshot, self._tell))
            folder, run_path = self._run_folder(job, values)
            if folder is not None:
                if not known and not folder.prepare(values.ports, self._tell):
                    return values, None, self._signatures(ports, values)
                ports = (*ports, folder.port)
                told = run_path if task.kind != "uploaded" else None
                values = replace(values, ports=(*values.ports, folder.url), run_path=told)
        return values, folder, self._signatures(ports, values)

    def _run_folder(self, job: StepJob, values: JobValues) -> tuple[RunFolder | None, str | None]:
        """What ``Run.get_context()`` works with, and where Python finds that; none for jars."""
        task, databricks, target = self._task, self._databricks, self._target
        if task.kind == "jar":
            return None, None

        def url_of(port: JobOutput) -> PortUrl:
            url = port_url(target, task, job.id, port)
            if (problem := _not_opened(target, url, values.ports)) is not None:
                raise ComputeTargetException(f"{url.url} is on {problem}.")
            return url

        folder = RunFolder.of(job, url_of, self._tell)
        if folder is None:
            return None, None
        try:
            path = uploaded_run(databricks, target, build_launcher_zip(job.environments))
            if values.directory is not None and job.snapshot is not None:
                give_run(databricks, f"{values.directory}/{task.what}", path, job.snapshot)
        except DatabricksRefusal as refusal:  # most code does not ask for it
            self._tell(f"Run.get_context() is an offline run there: {refusal}")
            return None, None
        return folder, path

    def _check_cluster(self) -> None:
        """Do not start a cluster that may not be started: a run would start it by itself."""
        cluster = self._task.cluster
        if isinstance(cluster, Serverless) or cluster.existing_cluster_id is None:
            return
        if cluster.permit_cluster_restart is False:
            state = self._databricks.cluster(cluster.existing_cluster_id).get("state")
            if state not in ("RUNNING", "RESIZING"):
                raise ComputeTargetException(
                    f"Step {self._task.step!r}: cluster {cluster.existing_cluster_id!r} is "
                    f"{str(state).lower()}, and permit_cluster_restart=False does not let it be started. "
                    f"Start it, or leave that out."
                )

    def _end(self, run_id: int) -> None:
        try:
            self._databricks.cancel(run_id)
        except ComputeTargetException as error:  # its outputs lie elsewhere
            self._tell(str(error))


def port_url(
    target: DatabricksCompute, task: DatabricksTask, job: str, port: JobInput | JobOutput
) -> PortUrl:
    """What a cluster calls an input or output, and the secret that opens it.

    :param job: The job's id.
    :raises ComputeTargetException: nothing says how it is reached.
    """
    where = f"Step {task.step!r}, {port.name!r}, on compute target {target.name!r}"
    url = cluster_url(where, port.store, port.path, target.places, target.url_scheme)
    azure = azure_place(port.store.url(port.path))
    if target.credentials == "sas":
        return PortUrl(port.name, port.token, url, *(signed_by(job, port, url) or ()))
    if target.credentials == "identity" or azure is None or not url.startswith(f"{target.url_scheme}:"):
        return PortUrl(port.name, port.token, url)
    secret = target.secrets.get(azure.account, azure.account)
    setting = f"fs.azure.account.key.{azure.host(target.url_scheme)}"
    return PortUrl(port.name, port.token, url, secret, setting)


def _not_opened(target: DatabricksCompute, url: PortUrl, ports: Sequence[PortUrl]) -> str | None:
    """Why a cluster that opens the data may not open another place, too; None if it may."""
    if target.credentials == "secret" and url.setting not in {None, *(port.setting for port in ports)}:
        return "an account that no input or output is on, and whose key the secret scope may lack"
    if any(port.setting and port.setting == url.setting and port.secret != url.secret for port in ports):
        return "an account of which a signature opens another container"
    return None


def _name(job: StepJob, task: DatabricksTask) -> str:
    return f"{task.step} ({job.context.get('experiment') or job.id})"

"""StagedJob: one job for a machine that shares nothing with this one but a storage account."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.compute.job import JobOutcome, JobOutput, JobWatcher, StepJob
from mlsteps.compute.placement import explain
from mlsteps.compute.scratch import ScratchFolder
from mlsteps.compute.staged import bootstrap
from mlsteps.compute.staged.area import StagingArea
from mlsteps.compute.staged.inputs import signed_input
from mlsteps.compute.staged.layout import Layout
from mlsteps.compute.staged.outputs import MANIFESTS, OUTPUTS, published_outputs
from mlsteps.compute.staged.report import REPORT, Report
from mlsteps.exceptions import MlstepsException
from mlsteps.launcher.job import Job, OutputSpec
from mlsteps.launcher.job_source import STDIN, VARIABLE, encoded
from mlsteps.launcher.package import build_launcher_zip
from mlsteps.launcher.places import Place, ReportSpec
from mlsteps.launcher.result import JobResult

if TYPE_CHECKING:
    from mlsteps.launcher.manifest import Manifest

_LAUNCHER = "launcher.zip"
_SNAPSHOT = "snapshot.zip"
_JOB = "job"


class StagedJob:
    """What is signed, staged and published for a job that runs elsewhere.

    Whoever starts the job gives it what :meth:`stage` returns, and :meth:`command`; they hold all that it
    needs, and two addresses that are good for this job's staging area only. Or, where whoever starts it can
    put files there and write to its standard input, what :meth:`files` and :meth:`text` return, and
    :meth:`command_with_files`: then no signature stands in its environment. The job fetches its inputs, sends
    its outputs and reports. Later, perhaps in another process, :meth:`outcome` publishes what it made.

    :param layout: Where things stand there.
    :param area: The job's own.
    :param seconds: How long the job may last: signatures are good for as long.
    """

    def __init__(self, job: StepJob, layout: Layout, area: StagingArea, seconds: float) -> None:
        self.job = job
        self.layout = layout
        self.area = area
        self.report = Report(area.store)
        self._seconds = seconds

    def stage(self, watcher: JobWatcher) -> dict[str, str]:
        """Put what the job needs where it finds it; returns the environment variables that lead it there.

        They hold signatures: they belong into no log and no record.
        """
        place = self.area.place(self._seconds)
        launcher = build_launcher_zip(self.job.environments)
        self.area.store.put_file(launcher, _LAUNCHER)
        if self.job.snapshot is not None:
            self.area.store.put_file(self.job.snapshot, _SNAPSHOT)
        snapshot = place.below(_SNAPSHOT).address if self.job.snapshot is not None else None
        self.area.store.write(_JOB, encoded(self._launcher_job(place, watcher, snapshot)).encode())
        digest = hashlib.sha256(launcher.read_bytes()).hexdigest()
        return {
            VARIABLE: place.below(_JOB).address,
            "MLSTEPS_LAUNCHER": f"{place.below(_LAUNCHER).address} {digest}",
        }

    def command(self, python: str) -> list[str]:
        """What to start there, in a container whose root folder of the layout exists."""
        text = Path(bootstrap.__file__).read_text("utf-8")
        return [python, "-I", "-S", "-c", text, self.layout.root]

    def files(self) -> dict[str, Path]:
        """What to put there before it starts: files here by their paths there."""
        files = {self.layout.launcher_zip: build_launcher_zip(self.job.environments)}
        if self.job.snapshot is not None:
            files[self.layout.snapshot] = self.job.snapshot
        return files

    def text(self, watcher: JobWatcher) -> bytes:
        """What to write to its standard input, which is left open: when it closes, the script is stopped.

        It holds signatures: it belongs into no log and no record.
        """
        snapshot = self.layout.snapshot if self.job.snapshot is not None else None
        job = self._launcher_job(self.area.place(self._seconds), watcher, snapshot)
        return f"{encoded(replace(job, lifeline=True))}\n".encode()

    def command_with_files(self, python: str) -> list[str]:
        """What to start there, where the files are."""
        return [python, "-I", "-S", self.layout.launcher_zip, STDIN]

    def outcome(self, result: JobResult, watcher: JobWatcher, environment: Mapping[str, Any]) -> JobOutcome:
        """Publish what the job made, if it succeeded, and keep what it left.

        :param environment: What it ran in, for the record.
        :raises UserErrorException: a file stands where an output shall be, and may not be replaced.
        """
        error, by_script = explain(result, watcher)
        manifests: dict[str, Manifest] = {}
        watcher.phases |= {**result.phases, "script": round(result.duration_seconds, 3)}
        with ScratchFolder(self.job.scratch, f"{self.job.id}-report") as folder:
            try:
                if error is None:
                    with watcher.phase("publish"):
                        manifests = published_outputs(
                            self.job.outputs, self.area.store, self.layout.writes_in_place
                        )
            finally:
                events = self._gather(folder, watcher, failed=error is not None)
        return JobOutcome(
            exit_code=result.exit_code,
            signal=result.signal,
            error=error,
            command=self.layout.command,
            manifests=manifests,
            environment=environment,
            events=events,
            stdout_tail=tuple(result.stdout_tail.splitlines()),
            stderr_tail=tuple(result.stderr_tail.splitlines()),
            missing_outputs=result.missing_outputs,
            by_script=by_script,
        )

    def _gather(self, folder: Path, watcher: JobWatcher, *, failed: bool) -> tuple[Mapping[str, Any], ...]:
        try:
            return self.report.gather(folder, watcher)
        except MlstepsException as problem:
            if not failed:
                raise
            # Why the job failed is the error to tell of.
            watcher.on_line("mlsteps", f"What the script logged cannot be fetched: {problem}")
            return ()

    def _launcher_job(self, place: Place, watcher: JobWatcher, snapshot: str | None) -> Job:
        layout = self.layout
        inputs = [
            signed_input(
                port,
                layout.inputs[port.name],
                self.area.store,
                place,
                self._seconds,
                lambda line: watcher.on_line("inputs", line),
                lambda: watcher.stopped,
            )
            for port in self.job.inputs
            if not layout.reads_in_place(port)
        ]
        return Job(
            command=layout.command,
            working_directory=layout.work,
            snapshot=snapshot,
            environment=layout.environment,
            inherit=layout.inherits,
            inputs=tuple(inputs),
            outputs=tuple(self._output(port, place) for port in self.job.outputs),
            files={f"{layout.run}/context.json": layout.context()},
            keep_to=f"{layout.kept}/files",
            log_directory=layout.kept,
            result_path=layout.result,
            report=ReportSpec(place.below(REPORT), layout.run),
            time_limit_seconds=self.job.time_limit,
        )

    def _output(self, port: JobOutput, place: Place) -> OutputSpec:
        in_place = self.layout.writes_in_place(port)
        return OutputSpec(
            port.name,
            self.layout.outputs[port.name],
            port.create_directory,
            f"{self.layout.root}/manifests/{port.name}.json",
            upload=None if in_place else place.below(f"{OUTPUTS}/{port.name}"),
            manifest_upload=place.below(f"{MANIFESTS}/{port.name}.json"),
            patterns=port.patterns,
        )

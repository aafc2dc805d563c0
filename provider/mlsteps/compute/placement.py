"""Placement: one job in folders of this machine, for whatever runs the launcher on it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from mlsteps.compute.base import PYTHON
from mlsteps.compute.confinement import check_output
from mlsteps.compute.full_disk import telling_of_full_disk
from mlsteps.compute.input_cache import InputCache
from mlsteps.compute.job import JobInput, JobOutcome, JobOutput, JobWatcher, StepJob
from mlsteps.compute.kept_files import keep_files
from mlsteps.compute.script_environment import check_variables
from mlsteps.compute.staging import stage_input
from mlsteps.compute.tokens import substitute
from mlsteps.compute.uploads import collect_output
from mlsteps.environment import EnvironmentLock, EnvironmentPlan
from mlsteps.exceptions import ComputeTargetException
from mlsteps.launcher.job import Job, OutputSpec
from mlsteps.launcher.manifest import Manifest, read_manifest
from mlsteps.launcher.package import build_launcher_zip
from mlsteps.launcher.result import JobResult
from mlsteps.run.context import InputPath, RunContext
from mlsteps.run.protocol import CONTEXT_FILE, JOURNAL_FILE, RUN_DIRECTORY_VARIABLE, UPLOADS_FOLDER


class LauncherRun(Protocol):
    """The launcher at work on one job."""

    def run(self, watcher: JobWatcher, journal: Path) -> JobResult:
        """Stay with it until its end; ``watcher`` hears of its output and its journal on the way."""


@dataclass(frozen=True)
class Interpreter:
    """What runs the script.

    :param python: Its path, where the script runs.
    :param variables: The environment variables that every script gets there.
    :param own: Whether it is this process's own, which has this package and others that the script sees.
    :param described: For the record.
    """

    python: str
    variables: Mapping[str, str]
    own: bool
    described: Mapping[str, Any]


@dataclass(frozen=True)
class Elsewhere:
    """Another machine that shares no folder with this one: the job's is sent there, and fetched back.

    :param folder: Where it stands there.
    :param launcher_zip, snapshot: Where these stand there.
    """

    folder: PurePosixPath
    launcher_zip: str
    snapshot: str | None


class Placement:
    """One job in folders of this machine: where everything of it stands.

    :param folder: For this job alone.
    :param extra_variables: Of the job's environment.
    :param elsewhere: Where the script runs, if not on this machine.
    :param confined: Whether the script sees less of this machine than this process does.
    :raises ComputeTargetException: an input or output needs a path that the other machine's folder has not.
    """

    def __init__(
        self,
        job: StepJob,
        folder: Path,
        interpreter: Interpreter,
        input_cache: InputCache,
        extra_variables: Mapping[str, str],
        elsewhere: Elsewhere | None = None,
        *,
        confined: bool = False,
    ) -> None:
        self.elsewhere = elsewhere
        self.confined = confined
        self.job = job
        self.folder = folder
        self.input_cache = input_cache
        self._interpreter = interpreter
        self._extra_variables = extra_variables
        self.working_directory = folder / "work"
        self.run_directory = folder / "run"
        self.kept = folder / "kept"
        self.manifests = folder / "manifests"
        self.input_paths = {port.name: self._input_path(port) for port in job.inputs}
        self.output_paths = {port.name: self._output_path(port) for port in job.outputs}
        self.launcher_zip = build_launcher_zip(job.environments)
        self.command, variables = self._command_and_variables()
        check_variables(variables, f"Job {job.id}")
        self.environment = {**interpreter.variables, **variables}
        self._set_python()

    def run(self, watcher: JobWatcher, start: Callable[[Placement, Path, Path], LauncherRun]) -> JobOutcome:
        """Run the job.

        :param start: Given this, the job's file and the file of its result, makes the launcher's run.
        """
        with watcher.phase("stage"):
            self._write_context()
            self._stage_inputs(watcher)
        job_file = self.folder / "job.json"
        job_file.touch(mode=0o600)
        job_file.write_text(self._launcher_job().to_json(), "utf-8")
        launcher = start(self, job_file, self.folder / "result.json")
        journal = self.run_directory / JOURNAL_FILE
        try:
            with watcher.phase("script"):
                result = launcher.run(watcher, journal)
            error, by_script = explain(result, watcher)
            manifests: dict[str, Manifest] = {}
            if error is None:
                with watcher.phase("publish"):
                    manifests = self._publish()
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is the one to tell of
                keep_files(self.folder, self.kept, journal, watcher)
            raise
        events = keep_files(self.folder, self.kept, journal, watcher)
        return JobOutcome(
            exit_code=result.exit_code,
            signal=result.signal,
            error=error,
            command=self.command,
            manifests=manifests,
            environment={**self._interpreter.described, "python": self._interpreter.python},
            events=events,
            stdout_tail=tuple(result.stdout_tail.splitlines()),
            stderr_tail=tuple(result.stderr_tail.splitlines()),
            missing_outputs=result.missing_outputs,
            by_script=by_script,
        )

    # Where things stand

    def seen(self, path: Path) -> str:
        """The script's path of what stands here at ``path``."""
        if self.elsewhere is None:
            return str(path)
        try:
            return str(self.elsewhere.folder / path.relative_to(self.folder).as_posix())
        except ValueError:
            raise ComputeTargetException(
                f"Job {self.job.id}: {str(path)!r} is outside of the job's folder, and the script runs on "
                f"another machine. Make path_on_compute relative to the working directory."
            ) from None

    def _local_path(self, port: JobInput | JobOutput) -> Path | None:
        """Where the script may use it in place, or None."""
        return port.store.local_path(port.path) if self.elsewhere is None else None

    def _input_path(self, port: JobInput) -> Path:
        in_place = self._local_path(port)
        if port.mode != "download" and in_place is not None and port.path_on_compute is None:
            return in_place
        name = Path(port.path).name or port.name
        if port.path_on_compute:
            return self.working_directory / port.path_on_compute
        return self.folder / "inputs" / port.name / name

    def _input_text(self, port: JobInput) -> str:
        """What arguments and variables hold: its path; of a dataset for direct use, its id (SDK v1 rule)."""
        if port.mode == "direct" and port.dataset is not None:
            return str(port.dataset["id"])
        return self.seen(self.input_paths[port.name])

    def _output_path(self, port: JobOutput) -> Path:
        if port.collect_from is not None:
            return self.working_directory / port.collect_from
        in_place = self._local_path(port)
        return in_place if in_place is not None else self.folder / "outputs" / port.name

    def _in_place(self, port: JobOutput) -> bool:
        return self.output_paths[port.name] == self._local_path(port)

    def read_in_place(self) -> list[Path]:
        """What the script reads outside of the job's folder."""
        return [
            path
            for port in self.job.inputs
            if (path := self.input_paths[port.name]) == self._local_path(port)
        ]

    def written_in_place(self) -> list[tuple[Path, bool]]:
        """What it writes outside of that, each with whether it is a folder that is there when it starts."""
        return [
            (self.output_paths[port.name], port.create_directory)
            for port in self.job.outputs
            if self._in_place(port)
        ]

    def _command_and_variables(self) -> tuple[tuple[str, ...], dict[str, str]]:
        tokens = {port.token: self._input_text(port) for port in self.job.inputs}
        tokens |= {port.token: self.seen(self.output_paths[port.name]) for port in self.job.outputs}
        command = [substitute(word, tokens) for word in self.job.command]
        if command[0] == PYTHON:
            command[0] = self._interpreter.python
        variables = {port.variable: self._input_text(port) for port in self.job.inputs}
        variables |= {port.variable: self.seen(self.output_paths[port.name]) for port in self.job.outputs}
        for name, value in {**self._extra_variables, **self.job.variables}.items():
            variables[name] = substitute(value, tokens)
        return tuple(command), variables

    def _set_python(self) -> None:
        """Let the script import ``mlsteps.run``, print line by line, and find its own interpreter first."""
        environment = self.environment
        environment.setdefault("PYTHONUNBUFFERED", "1")
        # As with python -m: a script in a sub-folder still imports what lies at the snapshot's root.
        path = [self.seen(self.working_directory)]
        if self._interpreter.own:
            # Absolute, because the script works in another folder than the worker.
            own = os.environ.get("PYTHONPATH", "")
            path += [os.path.abspath(entry) for entry in own.split(os.pathsep) if entry]
        else:
            path += [self.elsewhere.launcher_zip if self.elsewhere else str(self.launcher_zip)]
            environment["PATH"] = os.pathsep.join(
                [str(Path(self._interpreter.python).parent), environment.get("PATH", "")]
            )
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [*path, environment.get("PYTHONPATH", "")]))
        environment[RUN_DIRECTORY_VARIABLE] = self.seen(self.run_directory)

    # What happens before the script

    def _write_context(self) -> None:
        self.run_directory.mkdir(parents=True)
        (self.run_directory / UPLOADS_FOLDER).mkdir()
        context = RunContext(
            **self.job.context,
            working_directory=self.seen(self.working_directory),
            inputs={
                port.name: InputPath(port.mode, self.seen(self.input_paths[port.name]), port.dataset)
                for port in self.job.inputs
            },
            outputs={name: self.seen(path) for name, path in self.output_paths.items()},
        )
        (self.run_directory / CONTEXT_FILE).write_text(context.to_json(), "utf-8")

    def _stage_inputs(self, watcher: JobWatcher) -> None:
        """Fetch inputs that are not read in place."""
        for port in self.job.inputs:
            target = self.input_paths[port.name]
            if target != self._local_path(port):
                with telling_of_full_disk(f"Input {port.name!r}"):
                    stage_input(
                        port,
                        target,
                        self.input_cache,
                        lambda line: watcher.on_line("inputs", line),
                        lambda: watcher.stopped,
                    )

    def _launcher_job(self) -> Job:
        return Job(
            command=self.command,
            working_directory=self.seen(self.working_directory),
            snapshot=self._snapshot(),
            environment=self.environment,
            outputs=tuple(
                OutputSpec(
                    port.name,
                    self.seen(self.output_paths[port.name]),
                    port.create_directory,
                    self.seen(self.manifests / f"{port.name}.json"),
                )
                for port in self.job.outputs
            ),
            keep_to=self.seen(self.kept / "files"),
            log_directory=self.seen(self.kept),
            result_path=self.seen(self.folder / "result.json"),
            time_limit_seconds=self.job.time_limit,
            lifeline=True,
        )

    def _snapshot(self) -> str | None:
        if self.elsewhere is not None:
            return self.elsewhere.snapshot
        return str(self.job.snapshot) if self.job.snapshot else None

    # What happens after it

    def _publish(self) -> dict[str, Manifest]:
        manifests = {}
        written = [place for place, _ in self.written_in_place()]
        seen = [self.folder, *self.read_in_place(), *written]
        for port in self.job.outputs:
            manifest = read_manifest(self.manifests / f"{port.name}.json")
            path = self.output_paths[port.name]
            if self.confined:
                check_output(port.name, path, manifest, seen)
            if not self._in_place(port):
                with telling_of_full_disk(f"Output {port.name!r}"):
                    manifest = collect_output(path, manifest, port)
            manifests[port.name] = manifest
        return manifests


def explain(result: JobResult, watcher: JobWatcher) -> tuple[str | None, bool]:
    """Why a job counts as failed, or None; and whether that was the script's own doing."""
    if result.succeeded:
        return None, False
    if result.stopped == "outside" and not watcher.stopped:
        return result.error, False
    if result.timed_out:
        return f"The script was stopped at its time limit, after {result.duration_seconds:.0f} s.", True
    if watcher.stopped or result.stopped:
        return "The script was stopped because its task was.", False
    if result.error:
        return result.error, bool(result.exit_code or result.signal or result.missing_outputs)
    if result.missing_outputs:
        names = ", ".join(repr(name) for name in result.missing_outputs)
        return f"The script succeeded but did not write its declared output {names}.", True
    if result.signal:
        return f"The script was ended by {result.signal}.", True
    return f"The script ended with exit code {result.exit_code}.", True


def describe_environment(plan: EnvironmentPlan, lock: EnvironmentLock | None) -> dict[str, Any]:
    """What a script's environment is, for the record."""
    described: dict[str, Any] = {"kind": plan.kind.value}
    if plan.spec is not None:
        described |= {"spec": plan.spec.spec_hash, "requirements": list(plan.spec.requirements)}
        if lock is not None:
            described |= {"lock": lock.digest, "packages": lock.versions}
    return described

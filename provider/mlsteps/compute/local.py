"""LocalCompute: the script is a child process of the Airflow worker."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlsteps.compute.base import PYTHON, ComputeTarget
from mlsteps.compute.input_cache import InputCache
from mlsteps.compute.job import JobInput, JobOutcome, JobOutput, JobWatcher, StepJob
from mlsteps.compute.local_process import LauncherProcess
from mlsteps.compute.scratch import ScratchFolder
from mlsteps.compute.script_environment import check_variables, script_environment
from mlsteps.compute.staging import stage_input
from mlsteps.compute.tokens import substitute
from mlsteps.compute.uploads import collect_output
from mlsteps.environment import (
    EnvironmentKind,
    EnvironmentLock,
    EnvironmentPlan,
    VirtualEnvironments,
    lock_for,
    plan_environment,
    python_for,
)
from mlsteps.exceptions import ComputeTargetException
from mlsteps.launcher.job import Job, OutputSpec
from mlsteps.launcher.manifest import Manifest, read_manifest
from mlsteps.launcher.package import build_launcher_zip
from mlsteps.run.context import InputPath, RunContext
from mlsteps.run.journal import read_events
from mlsteps.run.protocol import CONTEXT_FILE, JOURNAL_FILE, RUN_DIRECTORY_VARIABLE, UPLOADS_FOLDER, EventKind

_INPUT_CACHE_GB = 20


class LocalCompute(ComputeTarget):
    """Runs scripts on the machine of the Airflow worker, each in its own process group.

    With no environment asked for, the script runs in the worker's own interpreter; else in a virtual
    environment that is built once and kept. Data on a datastore that is a folder is used in place; of other
    datastores it is fetched before the script starts, once for all steps that read the same.

    :param name: The name it goes by.
    :param pass_environment: Environment variables of the worker that scripts get besides the harmless ones
        (``PATH``, ``HOME``, locale, certificates, devices). Airflow's own are never passed.
    :param scratch: Folder for working directories; default: below the workspace's folder.
    :param input_cache_gb: How much of what was fetched is kept for other steps, in 10^9 bytes.
    """

    kind = "local"
    type = "local"

    def __init__(
        self,
        name: str = "local",
        pass_environment: Sequence[str] = (),
        scratch: str | None = None,
        input_cache_gb: float = _INPUT_CACHE_GB,
    ) -> None:
        super().__init__(name)
        if not input_cache_gb >= 0:
            raise ComputeTargetException(
                f"Compute target {name!r}: input_cache_gb is a number of gigabytes, got {input_cache_gb!r}."
            )
        self.input_cache_gb = input_cache_gb
        if isinstance(pass_environment, str):
            raise ComputeTargetException(
                f"Compute target {name!r}: pass_environment is a list of names, got {pass_environment!r}."
            )
        self.pass_environment = tuple(pass_environment)
        self.scratch = scratch

    def describe(self) -> Mapping[str, Any]:
        """Name and settings, for records."""
        described: dict[str, Any] = {"type": self.kind, "name": self.name}
        if self.pass_environment:
            described["pass_environment"] = list(self.pass_environment)
        if self.scratch:
            described["scratch"] = self.scratch
        if self.input_cache_gb != _INPUT_CACHE_GB:
            described["input_cache_gb"] = self.input_cache_gb
        return described

    def run(self, job: StepJob, watcher: JobWatcher) -> JobOutcome:
        """Run a job in a process group of its own; see :meth:`ComputeTarget.run`."""
        plan = plan_environment(job.run_configuration)
        with watcher.phase("environment"):

            def tell(line: str) -> None:
                watcher.on_line("environment", line)

            lock = lock_for(plan, job.locks, tell)
            python = python_for(plan, VirtualEnvironments(job.environments), tell, lock)
        with ScratchFolder(Path(self.scratch) if self.scratch else job.scratch, job.id) as folder:
            return _Placement(self, job, folder, python, plan, lock).run(watcher)


class _Placement:
    """One job on this machine: where everything of it stands."""

    def __init__(
        self,
        target: LocalCompute,
        job: StepJob,
        folder: Path,
        python: Path,
        plan: EnvironmentPlan,
        lock: EnvironmentLock | None,
    ) -> None:
        self.job = job
        self.plan = plan
        self.lock = lock
        self.input_cache = InputCache(job.input_cache, int(target.input_cache_gb * 1e9))
        self.python = python
        self.folder = folder
        self.working_directory = folder / "work"
        self.run_directory = folder / "run"
        self.kept = folder / "kept"
        self.manifests = folder / "manifests"
        self.input_paths = {port.name: self._input_path(port) for port in job.inputs}
        self.output_paths = {port.name: self._output_path(port) for port in job.outputs}
        self.launcher_zip = build_launcher_zip(job.environments)
        self.command, variables = self._command_and_variables()
        check_variables(variables, f"Job {job.id}")
        self.environment = {**script_environment(target.pass_environment), **variables}
        self._own_interpreter = plan.kind is EnvironmentKind.WORKER
        self._set_python()

    def run(self, watcher: JobWatcher) -> JobOutcome:
        with watcher.phase("stage"):
            self._write_context()
            self._stage_inputs(watcher)
        job_file = self.folder / "job.json"
        job_file.touch(mode=0o600)
        job_file.write_text(self._launcher_job().to_json(), "utf-8")
        process = LauncherProcess(self.launcher_zip, job_file, self.folder / "result.json")
        journal = self.run_directory / JOURNAL_FILE
        try:
            with watcher.phase("script"):
                result = process.run(watcher, journal)
            error = _explain(result, watcher)
            manifests: dict[str, Manifest] = {}
            if error is None:
                with watcher.phase("publish"):
                    manifests = self._publish()
        finally:
            events = tuple(read_events(journal))
            self._gather_uploads(events)
            watcher.keep_files(self.kept)
        return JobOutcome(
            exit_code=result.exit_code,
            signal=result.signal,
            error=error,
            command=self.command,
            manifests=manifests,
            environment={"kind": self.plan.kind.value, "python": str(self.python), **self._spec()},
            events=events,
            stdout_tail=tuple(result.stdout_tail.splitlines()),
            stderr_tail=tuple(result.stderr_tail.splitlines()),
            missing_outputs=result.missing_outputs,
        )

    # Where things stand

    def _input_path(self, port: JobInput) -> Path:
        in_place = port.store.local_path(port.path)
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
        return str(self.input_paths[port.name])

    def _output_path(self, port: JobOutput) -> Path:
        if port.collect_from is not None:
            return self.working_directory / port.collect_from
        in_place = port.store.local_path(port.path)
        return in_place if in_place is not None else self.folder / "outputs" / port.name

    def _in_place(self, port: JobOutput) -> bool:
        return self.output_paths[port.name] == port.store.local_path(port.path)

    def _command_and_variables(self) -> tuple[tuple[str, ...], dict[str, str]]:
        tokens = {port.token: self._input_text(port) for port in self.job.inputs}
        tokens |= {port.token: str(self.output_paths[port.name]) for port in self.job.outputs}
        command = [substitute(word, tokens) for word in self.job.command]
        if command[0] == PYTHON:
            command[0] = str(self.python)
        variables = {port.variable: self._input_text(port) for port in self.job.inputs}
        variables |= {port.variable: str(self.output_paths[port.name]) for port in self.job.outputs}
        for name, value in {**self.plan.environment_variables, **self.job.variables}.items():
            variables[name] = substitute(value, tokens)
        return tuple(command), variables

    def _set_python(self) -> None:
        """Let the script import ``mlsteps.run``, print line by line, and find its own interpreter first."""
        environment = self.environment
        environment.setdefault("PYTHONUNBUFFERED", "1")
        # As with python -m: a script in a sub-folder still imports what lies at the snapshot's root.
        path = [str(self.working_directory)]
        if self._own_interpreter:
            # Absolute, because the script works in another folder than the worker.
            own = os.environ.get("PYTHONPATH", "")
            path += [os.path.abspath(entry) for entry in own.split(os.pathsep) if entry]
        else:
            path += [str(self.launcher_zip)]
            environment["PATH"] = os.pathsep.join([str(self.python.parent), environment.get("PATH", "")])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [*path, environment.get("PYTHONPATH", "")]))
        environment[RUN_DIRECTORY_VARIABLE] = str(self.run_directory)

    def _spec(self) -> Mapping[str, Any]:
        spec = self.plan.spec
        if spec is None:
            return {}
        lock = {"lock": self.lock.digest, "packages": self.lock.versions} if self.lock else {}
        return {"spec": spec.spec_hash, "requirements": list(spec.requirements), **lock}

    # What happens before the script

    def _write_context(self) -> None:
        self.run_directory.mkdir(parents=True)
        (self.run_directory / UPLOADS_FOLDER).mkdir()
        context = RunContext(
            **self.job.context,
            working_directory=str(self.working_directory),
            inputs={
                port.name: InputPath(port.mode, str(self.input_paths[port.name]), port.dataset)
                for port in self.job.inputs
            },
            outputs={name: str(path) for name, path in self.output_paths.items()},
        )
        (self.run_directory / CONTEXT_FILE).write_text(context.to_json(), "utf-8")

    def _stage_inputs(self, watcher: JobWatcher) -> None:
        """Fetch inputs that are not read in place."""
        for port in self.job.inputs:
            target = self.input_paths[port.name]
            if target != port.store.local_path(port.path):
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
            working_directory=str(self.working_directory),
            snapshot=str(self.job.snapshot) if self.job.snapshot else None,
            environment=self.environment,
            outputs=tuple(
                OutputSpec(
                    port.name,
                    str(self.output_paths[port.name]),
                    port.create_directory,
                    str(self.manifests / f"{port.name}.json"),
                )
                for port in self.job.outputs
            ),
            keep_to=str(self.kept / "files"),
            log_directory=str(self.kept),
            result_path=str(self.folder / "result.json"),
            time_limit_seconds=self.job.time_limit,
            lifeline=True,
        )

    # What happens after it

    def _publish(self) -> dict[str, Manifest]:
        manifests = {}
        for port in self.job.outputs:
            manifest = read_manifest(self.manifests / f"{port.name}.json")
            if not self._in_place(port):
                manifest = collect_output(self.output_paths[port.name], manifest, port)
            manifests[port.name] = manifest
        return manifests

    def _gather_uploads(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Put files that the script uploaded beside its kept ``outputs`` and ``logs``; an upload wins."""
        for event in events:
            if event.get("event") == EventKind.UPLOAD:
                target = self.kept / "files" / event["name"]
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.run_directory / event["path"], target)


def _explain(result: Any, watcher: JobWatcher) -> str | None:
    """Why a job counts as failed, or None."""
    if result.succeeded:
        return None
    if result.timed_out:
        return f"The script was stopped at its time limit, after {result.duration_seconds:.0f} s."
    if watcher.stopped or result.stopped:
        return "The script was stopped because its task was."
    if result.error:
        return str(result.error)
    if result.missing_outputs:
        names = ", ".join(repr(name) for name in result.missing_outputs)
        return f"The script succeeded but did not write its declared output {names}."
    if result.signal:
        return f"The script was ended by {result.signal}."
    return f"The script ended with exit code {result.exit_code}."

"""Where everything of a job stands on the machine that runs it, which is not this one."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlsteps.compute.base import PYTHON
from mlsteps.compute.job import JobInput, JobOutput, StepJob
from mlsteps.compute.script_environment import check_variables
from mlsteps.compute.tokens import substitute
from mlsteps.run.context import InputPath, RunContext
from mlsteps.run.protocol import RUN_DIRECTORY_VARIABLE


@dataclass(frozen=True)
class SharedFolder:
    """A folder of this machine that the job sees as well, at a path of its own.

    :param here, there: Its two paths.
    """

    here: Path
    there: str

    def path_there(self, path: Path) -> str | None:
        """Where the job finds what is at ``path`` here; None if it is not in this folder."""
        try:
            below = path.relative_to(self.here)
        except ValueError:
            return None
        return str(PurePosixPath(self.there) / below.as_posix())


class Layout:
    """The paths of one job, and the command and variables with these paths in place.

    :param root: A folder there that the job may write to, and that it has to itself.
    :param python: The interpreter there.
    :param variables: Environment variables that the environment sets.
    :param folders: What it shares with this machine.
    :param image_variables: Those of the image; None if nobody has looked into it: then it gets those.
    :raises UserErrorException: a variable cannot be one.
    """

    def __init__(
        self,
        job: StepJob,
        root: str,
        python: str,
        variables: Mapping[str, str],
        folders: Sequence[SharedFolder] = (),
        image_variables: Mapping[str, str] | None = None,
    ) -> None:
        self.root = root
        self.home = f"{root}/home"
        self.work = f"{root}/work"
        self.run = f"{root}/run"
        self.kept = f"{root}/kept"
        self.launcher_zip = f"{root}/launcher.zip"
        self.snapshot = f"{root}/snapshot.zip"
        self.result = f"{root}/result.json"
        self.inherits = image_variables is None
        self._job = job
        self._folders = tuple(folders)
        self.inputs = {port.name: self._input(port) for port in job.inputs}
        self.outputs = {port.name: self._output(port) for port in job.outputs}
        tokens = {port.token: self._input_text(port) for port in job.inputs}
        tokens |= {port.token: self.outputs[port.name] for port in job.outputs}
        command = [substitute(word, tokens) for word in job.command]
        if command[0] == PYTHON:
            command[0] = python
        self.command = tuple(command)
        environment = {port.variable: self._input_text(port) for port in job.inputs}
        environment |= {port.variable: self.outputs[port.name] for port in job.outputs}
        for name, value in {**variables, **job.variables}.items():
            environment[name] = substitute(value, tokens)
        check_variables(environment, f"Job {job.id}")
        if image_variables is not None:
            environment = {"HOME": self.home, **image_variables, **environment}
            # The script's own interpreter is found first.
            programs = [posixpath.dirname(python), *filter(None, [environment.get("PATH")])]
            environment["PATH"] = ":".join(programs)
        # A script in a sub-folder still imports what lies at the snapshot's root, and finds mlsteps.run.
        path = [self.work, self.launcher_zip, *filter(None, [environment.get("PYTHONPATH")])]
        self.environment = {"PYTHONUNBUFFERED": "1", **environment, "PYTHONPATH": ":".join(path)}
        self.environment[RUN_DIRECTORY_VARIABLE] = self.run

    def shared(self, port: JobInput | JobOutput) -> str | None:
        """Where the job finds the port's data without a copy; None if it does not."""
        here = port.store.local_path(port.path)
        found = (folder.path_there(here) for folder in self._folders if here is not None)
        return next(filter(None, found), None)

    def reads_in_place(self, port: JobInput) -> bool:
        """Whether an input is read where it is."""
        return self.inputs[port.name] == self.shared(port)

    def writes_in_place(self, port: JobOutput) -> bool:
        """Whether an output is written where it shall be."""
        return self.outputs[port.name] == self.shared(port)

    def context(self) -> str:
        """What ``Run.get_context()`` reads there."""
        job = self._job
        return RunContext(
            **job.context,
            working_directory=self.work,
            inputs={
                port.name: InputPath(port.mode, self.inputs[port.name], port.dataset) for port in job.inputs
            },
            outputs=self.outputs,
        ).to_json()

    def _input(self, port: JobInput) -> str:
        if port.path_on_compute:
            return posixpath.join(self.work, port.path_on_compute)
        name = posixpath.basename(port.path) or port.name
        copy = f"{self.root}/inputs/{port.name}/{name}"
        return (self.shared(port) or copy) if port.mode != "download" else copy

    def _output(self, port: JobOutput) -> str:
        if port.collect_from is not None:
            return posixpath.join(self.work, port.collect_from)
        return self.shared(port) or f"{self.root}/outputs/{port.name}"

    def _input_text(self, port: JobInput) -> str:
        """What arguments hold: its path; of a dataset for direct use, its id (SDK v1's rule)."""
        if port.mode == "direct" and port.dataset is not None:
            return str(port.dataset["id"])
        return self.inputs[port.name]

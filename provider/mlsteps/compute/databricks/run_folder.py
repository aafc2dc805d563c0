"""RunFolder: what ``Run.get_context()`` of code on a cluster reads and writes, next to the outputs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlsteps.compute.databricks.parameters import PortUrl
from mlsteps.compute.job import JobOutput, JobWatcher, StepJob
from mlsteps.compute.staged.report import Report
from mlsteps.exceptions import MlstepsException
from mlsteps.run.context import InputPath, RunContext
from mlsteps.run.protocol import CONTEXT_FILE, RUN_PLACE

_NAME = "mlsteps-run"


class RunFolder(Report):
    """The folder of one job: ``run/`` is the code's.

    :param port: The code's part, on a store that both sides reach.
    :param url: What the cluster calls that.
    """

    def __init__(self, job: StepJob, port: JobOutput, url: PortUrl) -> None:
        super().__init__(port.store, port.path.removesuffix("/run"))
        self.port, self.url = port, url
        self._job = job

    @classmethod
    def of(
        cls, job: StepJob, url_of: Callable[[JobOutput], PortUrl], tell: Callable[[str], None]
    ) -> RunFolder | None:
        """The job's, on the first store of its outputs, or else the workspace's own, that a cluster reaches.

        :param url_of: What the cluster calls a place; an error if it does not reach it.
        :param tell: Hears why there is none.
        """
        own = job.locks.store if job.locks is not None else None
        stores: list[Any] = [*(port.store for port in job.outputs), *([own] if own is not None else [])]
        folder = _folder(job)
        if folder is None:
            tell("Run.get_context() is an offline run there: an output is the whole datastore.")
            return None
        problem = "no output says where it could be"
        for store in stores:
            there = JobOutput(RUN_PLACE, "", "", store, f"{folder}/run", create_directory=False)
            try:
                return cls(job, there, url_of(there))
            except MlstepsException as error:
                problem = str(error)
        tell(f"Run.get_context() is an offline run there: {problem}")
        return None

    def prepare(self, ports: Sequence[PortUrl], tell: Callable[[str], None]) -> bool:
        """Tell the code what it may know of its run; False if the worker may not write there.

        :param ports: What the cluster calls inputs and outputs.
        :param tell: Hears why.
        """
        urls, job = {port.name: port.url for port in ports}, self._job
        context = RunContext(
            **job.context,
            working_directory="",
            inputs={port.name: InputPath(port.mode, urls[port.name], port.dataset) for port in job.inputs},
            outputs={port.name: urls[port.name] for port in job.outputs},
        )
        try:
            self._area.write(f"{self._folder}/run/{CONTEXT_FILE}", context.to_json().encode())
        except (MlstepsException, OSError) as error:
            tell(f"Run.get_context() is an offline run there: {error}")
            return False
        return True

    def fetched(
        self, printed: Sequence[str], trace: Sequence[str], watcher: JobWatcher
    ) -> tuple[Mapping[str, Any], ...]:
        """Hand what the code printed, logged and uploaded to ``watcher``; returns all events."""
        self._job.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._job.scratch, prefix="databricks-") as name:
            kept = Path(name) / "kept"
            kept.mkdir()
            for log, lines in (("stdout.log", printed), ("stderr.log", trace)):
                (kept / log).write_text("".join(f"{line}\n" for line in lines), "utf-8")
            return self.gather(Path(name), watcher)

    def clear(self) -> None:
        """Delete it: all of it is in the step's record."""
        with suppress(MlstepsException, OSError):
            self._area.delete(self._folder)


def _folder(job: StepJob) -> str | None:
    """A folder that is no part of an output."""
    folders = (f"azureml/{job.id}/{_NAME}", f"mlsteps/databricks/{job.id}")
    taken = [f"{port.path}/".lstrip("/") for port in job.outputs]
    free = (folder for folder in folders if not any(folder.startswith(output) for output in taken))
    return next(free, None)

"""A job in a container that sees the job's folders of this machine."""

from __future__ import annotations

from pathlib import Path

from mlsteps.compute.docker.container import JobContainer
from mlsteps.compute.docker.engine_job import EngineJob
from mlsteps.compute.docker.mounts import mounts_of, output_folders
from mlsteps.compute.docker.ownership import give_to
from mlsteps.compute.docker.sweeping import sweep
from mlsteps.compute.input_cache import InputCache
from mlsteps.compute.job import JobOutcome, JobWatcher
from mlsteps.compute.local_process import JournalTail
from mlsteps.compute.placement import Interpreter, Placement
from mlsteps.compute.scratch import ScratchFolder
from mlsteps.launcher.result import JobResult


def run_mounted(run: EngineJob) -> JobOutcome:
    """Run a job whose folders are mounted; data that lies elsewhere is fetched and sent by this process."""
    target, job = run.target, run.job
    sweep(run.engine)
    with ScratchFolder(job.scratch, job.id) as folder:
        (folder / "home").mkdir()
        variables = {"HOME": str(folder / "home"), **run.image_variables}
        interpreter = Interpreter(run.python, variables, False, run.described)
        cache = InputCache(job.input_cache, int(target.input_cache_gb * 1e9))
        placement = Placement(job, folder, interpreter, cache, run.plan.environment_variables, confined=True)

        def start(placed: Placement, job_file: Path, result: Path) -> _MountedLauncher:
            mounts = mounts_of(placed)
            give_to(f"Compute target {target.name!r}", run.user, [folder, *output_folders(placed)])
            command = [run.image.python, "-I", "-S", str(placed.launcher_zip), str(job_file)]
            return _MountedLauncher(run.container(command, str(folder), mounts), result)

        return placement.run(run.watcher, start)


class _MountedLauncher:
    """The launcher in a container, as a placement wants it."""

    def __init__(self, container: JobContainer, result: Path) -> None:
        self._container, self._result = container, result

    def run(self, watcher: JobWatcher, journal: Path) -> JobResult:
        if watcher.stopped:
            return JobResult(stopped="terminated")
        with self._container as container:
            return container.stay(watcher, JournalTail(journal, watcher).poll, self._left)

    def _left(self) -> JobResult | None:
        return JobResult.from_json(self._result.read_text("utf-8")) if self._result.is_file() else None

"""A job as a compute target is handed it, and what comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.compute.resources import Resources

if TYPE_CHECKING:
    from mlsteps.data.stores import Store
    from mlsteps.environment import EnvironmentLocks, RunConfiguration
    from mlsteps.launcher.manifest import Manifest


@dataclass(frozen=True)
class JobInput:
    """Data that the script reads.

    :param name: The port's name.
    :param token: The text in arguments that stands for its path on the compute target.
    :param variable: The environment variable that holds its path.
    :param store, path: Where it lies.
    :param mode: ``mount`` (read in place where that is possible), ``download`` (a private copy) or
        ``direct`` (a dataset, which the script asks for by name; its files stand as if mounted).
    :param path_on_compute: Where a copy should stand, or None.
    :param dataset: What the script is told of a dataset: id, name, version, and whether it is tabular.
    """

    name: str
    token: str
    variable: str
    store: Store
    path: str
    mode: str
    path_on_compute: str | None = None
    dataset: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class JobOutput:
    """Data that the script makes.

    :param name, token, variable: As for :class:`JobInput`.
    :param store, path: Where it shall lie when the script has succeeded.
    :param create_directory: Whether the path is an existing folder when the script starts.
    :param collect_from: A path on the compute target, relative to the working directory, that is uploaded
        when the script has succeeded; None lets it write to the store where that is possible.
    :param patterns: Of what is collected, only files that match one of these; None is all.
    :param replace: Whether collected files may replace files that stand at the destination.
    :param datastore: Name of the datastore that the store belongs to.
    """

    name: str
    token: str
    variable: str
    store: Store
    path: str
    create_directory: bool
    collect_from: str | None = None
    patterns: tuple[str, ...] | None = None
    replace: bool = True
    datastore: str = ""


@dataclass(frozen=True)
class StepJob:
    """A script to run.

    :param id: Unique, usable as a file name.
    :param command: What to run; :data:`~mlsteps.compute.PYTHON` as first word is the environment's
        interpreter. Holds tokens.
    :param snapshot: A zip of the source directory, for the working directory; None leaves that empty.
    :param run_configuration: Which environment it runs in.
    :param variables: Environment variables for the script, besides those of its ports. May hold tokens.
    :param context: What ``Run.get_context()`` is told, without paths that only the compute target knows.
    :param time_limit: Seconds after which the script is stopped, or None.
    :param scratch: A folder on this machine for temporary files.
    :param environments: A folder on this machine that keeps environments between jobs.
    :param input_cache: One that keeps what was fetched of inputs.
    :param locks: What the packages of environments were resolved to; None leaves that to the installer.
    :param resources: What it may use of a machine.
    :param step: The same for every try of one step in one run; empty if nobody tries again.
    :param task_limit: Seconds after which nobody waits for it any more, or None.
    :param resumed: Whether an earlier part of this try has started it, so that it is not to be started again.
    :param fingerprint: Of what it computes; empty if that is not known.
    :param tried_again: Whether another try follows if this process dies.
    """

    id: str
    command: tuple[str, ...]
    snapshot: Path | None
    inputs: tuple[JobInput, ...]
    outputs: tuple[JobOutput, ...]
    run_configuration: RunConfiguration | None
    variables: Mapping[str, str]
    context: Mapping[str, Any]
    time_limit: float | None
    scratch: Path
    environments: Path
    input_cache: Path
    locks: EnvironmentLocks | None = None
    resources: Resources = field(default_factory=Resources)
    step: str = ""
    task_limit: float | None = None
    resumed: bool = False
    fingerprint: str = ""
    tried_again: bool = False


@dataclass(frozen=True)
class JobOutcome:
    """How a job ended.

    :param exit_code: Of the script; None when a signal ended it or it never started.
    :param signal: Name of the signal that ended it.
    :param error: Why it counts as failed, in words; None is success.
    :param by_script: Whether a failure was the script's own doing, so that trying again would be in vain.
    :param command: What was run in the end, with paths in place.
    :param manifests: Of each output, by port name; empty unless it succeeded.
    :param environment: What was used, for the record.
    :param events: Everything the script logged through ``Run``.
    :param stderr_tail, stdout_tail: The last lines.
    :param missing_outputs: Declared outputs that the script did not make.
    :param places: Where outputs lie on their stores, if that is not where the job wanted them.
    """

    exit_code: int | None
    signal: str | None
    error: str | None
    command: tuple[str, ...] = ()
    manifests: Mapping[str, Manifest] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[Mapping[str, Any], ...] = ()
    stdout_tail: tuple[str, ...] = ()
    stderr_tail: tuple[str, ...] = ()
    missing_outputs: tuple[str, ...] = ()
    by_script: bool = False
    places: Mapping[str, str] = field(default_factory=dict)


class JobSuspended(Exception):
    """A job goes on without a worker: the task ends for now, and is run again when a trigger says so.

    The job is then handed to the compute target once more, which finds what is under way or done.

    :param trigger: Class path of the Airflow trigger that waits for it.
    :param settings: Its keyword arguments, as plain JSON.
    :param reason: What goes on, for the log.
    :param staged: What is to be cleared away when somebody ends the task meanwhile, as plain JSON: see
        ``triggers.clearing``.
    """

    def __init__(
        self,
        trigger: str,
        settings: Mapping[str, Any],
        reason: str,
        staged: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason)
        self.staged = staged
        self.trigger = trigger
        self.settings = settings
        self.reason = reason


class JobWatcher:
    """Hears what a job does, keeps its files, and can stop it from another thread or a signal handler.

    :param on_line: Called with the stream's name and each line the script prints.
    :param on_events: Called with what the script has logged since the last call.
    :param keep_files: Called once with a local folder of files to keep (``files/...``, ``stdout.log``,
        ``stderr.log``) before it is deleted; also when the script failed.
    :param supervisor: Process id of whoever started this process and answers for it, or None. When it
        dies, the job is stopped: the task will be tried again elsewhere.
    """

    def __init__(
        self,
        on_line: Callable[[str, str], None],
        on_events: Callable[[Sequence[Mapping[str, Any]]], None],
        keep_files: Callable[[Path], None],
        supervisor: int | None = None,
    ) -> None:
        self.supervisor = supervisor
        self.on_line = on_line
        self.on_events = on_events
        self.keep_files = keep_files
        self.phases: dict[str, float] = {}
        self._stop: Callable[[], None] | None = None
        self._stopped = threading.Event()

    @property
    def stopped(self) -> bool:
        """Whether the job was asked to stop."""
        return self._stopped.is_set()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure a part of the job's time."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.phases[name] = round(self.phases.get(name, 0.0) + time.monotonic() - started, 3)

    def stop_with(self, stop: Callable[[], None] | None) -> None:
        """How to stop the job from now on; called by the compute target."""
        self._stop = stop
        if stop is not None and self.stopped:
            stop()

    def stop(self) -> None:
        """Stop the job, now or as soon as it has started."""
        self._stopped.set()
        if self._stop is not None:
            self._stop()

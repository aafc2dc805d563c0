"""One container that runs the launcher: started, followed, stopped, and always removed."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.compute.docker.limits import ContainerLimits
from mlsteps.compute.docker.sweeping import remove
from mlsteps.compute.job import JobWatcher
from mlsteps.compute.lines import LineReader
from mlsteps.compute.local_process import JournalTail, supervisor_is_gone
from mlsteps.environment.image_probe import WORKER_LABEL
from mlsteps.exceptions import ComputeTargetException
from mlsteps.launcher.result import JobResult
from mlsteps.reuse.process import process_facts

if TYPE_CHECKING:
    from docker import DockerClient

JOB_LABEL = "mlsteps.job"
_STREAMS = {1: "stdout", 2: "stderr"}
_POLL_SECONDS = 0.2
# The launcher is asked to end the script and has until then; Airflow kills a task five seconds after asking.
_PATIENCE = 4.3
_ASK_AGAIN_SECONDS = 0.5
_KILLED = 137


class JobContainer:
    """Runs the launcher on a job file in a container, and stays with it until its end.

    The container's standard input is held open and never written to. When this process dies, even by SIGKILL,
    the engine closes it, the launcher ends the script, and the container ends; the next job removes it.

    :param image: Its id.
    :param command: What starts the launcher, with the job's file.
    :param working_directory: A folder that it sees.
    :param job: Unique; for a label.
    :param result: Where the launcher leaves its result.
    """

    def __init__(
        self,
        engine: DockerClient,
        *,
        image: str,
        command: Sequence[str],
        mounts: Sequence[Any],
        limits: ContainerLimits,
        user: str,
        network_mode: str | None,
        working_directory: str,
        job: str,
        result: Path,
    ) -> None:
        self._api = engine.api
        self._result = result
        self._settings = {
            "image": image,
            "command": list(command),
            "entrypoint": [],
            "user": user,
            "working_dir": working_directory,
            "stdin_open": True,
            "labels": {JOB_LABEL: job, WORKER_LABEL: json.dumps(dict(process_facts()))},
            "host_config": self._api.create_host_config(
                mounts=list(mounts),
                network_mode=network_mode,
                security_opt=["no-new-privileges"],
                **limits.as_docker(),
            ),
        }
        self._limits = limits

    def run(self, watcher: JobWatcher, journal: Path) -> JobResult:
        """Run to the end, telling ``watcher`` of output and events on the way.

        :raises ComputeTargetException: the engine, or what it was asked for, is in the way.
        """
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        if watcher.stopped:
            return JobResult(stopped="terminated")
        container = ""
        try:
            container = self._api.create_container(**self._settings)["Id"]
            self._follow(container, watcher, journal)
            state = self._state(container)
        except (DockerException, RequestException) as error:
            raise ComputeTargetException(f"The Docker engine failed: {error}{_advice(str(error))}") from None
        finally:
            watcher.stop_with(None)
            if container:
                remove(self._api, container)
        return self._ended(state, watcher)

    def _follow(self, container: str, watcher: JobWatcher, journal: Path) -> None:
        from docker.errors import NotFound

        socket = self._api.attach_socket(
            container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        )
        try:
            self._api.start(container)
            stopping = _Stopping(self._api, container)
            watcher.stop_with(stopping.ask)
            printed: queue.Queue[tuple[int, bytes] | None] = queue.Queue(1000)
            threading.Thread(target=_read, args=(socket, printed), name="container", daemon=True).start()
            events = JournalTail(journal, watcher)
            with contextlib.ExitStack() as stack:
                readers = {
                    number: LineReader(lambda line, name=name: watcher.on_line(name, line))  # type: ignore[misc]
                    for number, name in _STREAMS.items()
                }
                for reader in readers.values():
                    stack.callback(reader.close)
                while True:
                    with contextlib.suppress(queue.Empty):
                        piece = printed.get(timeout=_POLL_SECONDS)
                        if piece is None:
                            break
                        readers[piece[0]].feed(piece[1])
                    events.poll()
                    if supervisor_is_gone(watcher):
                        watcher.stop()
                    stopping.pursue()
                    if stopping.is_overdue:
                        break
            if not stopping.is_overdue:
                with contextlib.suppress(NotFound):
                    self._api.wait(container)
        except BaseException:
            # Whatever happens here, the script must not go on alone.
            with contextlib.suppress(Exception):
                self._api.kill(container)
            raise
        finally:
            socket.close()

    def _state(self, container: str) -> dict[str, Any]:
        from docker.errors import NotFound

        try:
            state: dict[str, Any] = self._api.inspect_container(container)["State"]
        except NotFound:  # whoever removes one that runs kills it
            return {"ExitCode": _KILLED}
        return state

    def _ended(self, state: dict[str, Any], watcher: JobWatcher) -> JobResult:
        if self._result.is_file():
            result = JobResult.from_json(self._result.read_text("utf-8"))
            if result.stopped == "terminated" and not watcher.stopped:
                return _ended_from_outside("stopped", result)
            if state.get("OOMKilled") and not result.succeeded and not watcher.stopped:
                return _told_of_memory(result, self._limits)
            return result
        if watcher.stopped:
            return JobResult(stopped="terminated")
        if state.get("OOMKilled"):
            return _told_of_memory(JobResult(signal="SIGKILL"), self._limits)
        if state.get("ExitCode") == _KILLED:
            return _ended_from_outside("killed", JobResult())
        raise ComputeTargetException(
            f"The container ended with exit code {state.get('ExitCode')} and left no result; see its output "
            f"above. {state.get('Error') or ''}".rstrip()
        )


class _Stopping:
    """Asks a container to stop; overdue when it has not after a while."""

    def __init__(self, api: Any, container: str) -> None:
        self._api = api
        self._container = container
        self._asked: float | None = None
        self._last = 0.0

    def ask(self) -> None:
        """Have the launcher asked to end the script.

        A signal handler calls this, maybe in the middle of a request to the engine: so it makes none.
        """
        if self._asked is None:
            self._asked = time.monotonic()

    def pursue(self) -> None:
        """Send the launcher what was asked for, and again as long as it lasts.

        A container's first process never gets signals that came before it listened to them.
        """
        if self._asked is not None and time.monotonic() - self._last > _ASK_AGAIN_SECONDS:
            self._last = time.monotonic()
            with contextlib.suppress(Exception):  # it has ended
                self._api.kill(self._container, "SIGTERM")

    @property
    def is_overdue(self) -> bool:
        """Whether it should have ended by now."""
        return self._asked is not None and time.monotonic() - self._asked > _PATIENCE


def _read(socket: Any, printed: queue.Queue[tuple[int, bytes] | None]) -> None:
    """Put what a container prints into a queue, and None at its end."""
    from docker.utils.socket import frames_iter

    frames: Iterator[tuple[int, bytes]] = frames_iter(socket, tty=False)
    try:
        for frame in frames:
            printed.put(frame)
    except Exception:
        pass
    finally:
        printed.put(None)


def _ended_from_outside(how: str, result: JobResult) -> JobResult:
    told = f"The container was {how} from outside: by somebody, or with the Docker engine."
    return replace(result, stopped="outside", error=told)


def _told_of_memory(result: JobResult, limits: ContainerLimits) -> JobResult:
    from rich.filesize import decimal

    limit = f"its limit of {decimal(limits.memory)}" if limits.memory else "what the machine has"
    return replace(
        result, error=f"The container used more memory than {limit}. Raise memory on the compute target."
    )


def _advice(error: str) -> str:
    if "could not select device driver" in error:
        return " The engine has no GPUs to give: install NVIDIA's container toolkit there, or ask for none."
    if "bind source path does not exist" in error or "invalid mount config" in error:
        return " The engine does not see this worker's folders; DockerCompute needs one that does."
    return ""

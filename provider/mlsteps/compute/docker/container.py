"""One container that runs the launcher: made, started, followed, stopped, and always removed."""

from __future__ import annotations

import contextlib
import json
import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.compute.docker.attached import AttachedStreams
from mlsteps.compute.docker.ending import KILLED, how_it_ended
from mlsteps.compute.docker.files import put_files, read_file
from mlsteps.compute.docker.limits import ContainerLimits
from mlsteps.compute.docker.stopping import Stopping
from mlsteps.compute.docker.sweeping import remove
from mlsteps.compute.job import JobWatcher
from mlsteps.compute.lines import LineReader
from mlsteps.compute.local_process import supervisor_is_gone
from mlsteps.environment.image_probe import WORKER_LABEL
from mlsteps.exceptions import ComputeTargetException
from mlsteps.launcher.result import JobResult
from mlsteps.reuse.process import process_facts

if TYPE_CHECKING:
    from docker import DockerClient

JOB_LABEL = "mlsteps.job"
_POLL_SECONDS = 0.2


class JobContainer:
    """Runs the launcher in a container, and stays with it until its end; there is one inside of a ``with``.

    The container's standard input is held open. When this process dies, even by SIGKILL, the engine closes
    it, the launcher ends the script, and the container ends; a later job removes it.

    :param image: Its id.
    :param command: What starts the launcher.
    :param user: ``uid:gid``.
    :param working_directory: A folder that it sees, or that is made.
    :param job: Unique; for a label.
    :param labels: Further ones.
    :raises ComputeTargetException: when entered: the engine, or what it was asked for, is in the way.
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
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self._api = engine.api
        self._settings = {
            "image": image,
            "command": list(command),
            "entrypoint": [],
            "user": user,
            "working_dir": working_directory,
            "stdin_open": True,
            "labels": {
                **(labels or {}),
                JOB_LABEL: job,
                WORKER_LABEL: json.dumps(dict(process_facts())),
            },
            "host_config": self._api.create_host_config(
                mounts=list(mounts),
                network_mode=network_mode,
                security_opt=["no-new-privileges"],
                **limits.as_docker(),
            ),
        }
        self._limits = limits
        self._user = user
        self._id = ""

    def __enter__(self) -> JobContainer:
        with telling():
            self._id = self._api.create_container(**self._settings)["Id"]
        return self

    def __exit__(self, *_: object) -> None:
        remove(self._api, self._id)

    def put(self, folders: Sequence[str], files: Mapping[str, Path]) -> None:
        """Make folders in it, for its user, and copy files there; before it is started.

        :raises ComputeTargetException: the engine is in the way.
        """
        with telling():
            put_files(self._api, self._id, folders, files, self._user)

    def read(self, path: str) -> bytes | None:
        """A small file in it, also after its end; None if there is none.

        :raises ComputeTargetException: the engine is in the way.
        """
        with telling():
            return read_file(self._api, self._id, path)

    def stay(
        self,
        watcher: JobWatcher,
        poll: Callable[[], None],
        result: Callable[[], JobResult | None],
        text: bytes = b"",
    ) -> JobResult:
        """Start it and stay until its end, telling ``watcher`` of output on the way.

        :param poll: Called several times a second.
        :param result: What the launcher left as its result.
        :param text: Written to its standard input first.
        :raises ComputeTargetException: the engine, or what it was asked for, is in the way.
        """
        try:
            with telling():
                self._follow(watcher, poll, text)
                state = self._state()
            told = result()
        finally:
            watcher.stop_with(None)
        return how_it_ended(state, told, self._limits, watcher.stopped)

    def _follow(self, watcher: JobWatcher, poll: Callable[[], None], text: bytes) -> None:
        from docker.errors import NotFound

        streams = AttachedStreams(self._api, self._id)
        try:
            self._api.start(self._id)
            stopping = Stopping(self._api, self._id)
            watcher.stop_with(stopping.ask)
            streams.start(text)
            with contextlib.ExitStack() as stack:
                readers = {
                    name: LineReader(lambda line, name=name: watcher.on_line(name, line))  # type: ignore[misc]
                    for name in ("stdout", "stderr")
                }
                for reader in readers.values():
                    stack.callback(reader.close)
                while not stopping.is_overdue:
                    with contextlib.suppress(queue.Empty):
                        piece = streams.next(_POLL_SECONDS)
                        if piece is None:
                            break
                        readers[piece[0]].feed(piece[1])
                    poll()
                    if supervisor_is_gone(watcher):
                        watcher.stop()
                    stopping.pursue()
            if not stopping.is_overdue:
                with contextlib.suppress(NotFound):
                    self._api.wait(self._id)
            else:
                self._kill()
        except BaseException:
            # Whatever happens here, the script must not go on alone.
            self._kill()
            raise
        finally:
            streams.close()

    def _kill(self) -> None:
        with contextlib.suppress(Exception):
            self._api.kill(self._id)

    def _state(self) -> dict[str, Any]:
        from docker.errors import NotFound

        try:
            state: dict[str, Any] = self._api.inspect_container(self._id)["State"]
        except NotFound:  # whoever removes one that runs kills it
            return {"ExitCode": KILLED}
        return state


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """Turn what the engine, or the way to it, complains about into words.

    :raises ComputeTargetException: it did.
    """
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except (DockerException, RequestException) as error:
        raise ComputeTargetException(f"The Docker engine failed: {error}{_advice(str(error))}") from None


def _advice(error: str) -> str:
    if "could not select device driver" in error:
        return " The engine has no GPUs to give: install NVIDIA's container toolkit there, or ask for none."
    if "bind source path does not exist" in error or "invalid mount config" in error:
        return (
            " The engine does not see this worker's folders, or a folder of mounts is not there. With "
            "shared_disk: false on the compute target no folder of the worker is needed."
        )
    return ""

"""PodLines: tells in the triggerer what a pod prints, for as long as nobody else stays with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from mlsteps.compute.kubernetes.log_position import LogPosition
from mlsteps.compute.kubernetes.pod_spec import CONTAINER
from mlsteps.compute.lines import LineReader
from mlsteps.environment.redaction import redact
from mlsteps.triggers.threads import in_thread

if TYPE_CHECKING:
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import AsyncKubernetesHook

    from mlsteps.data.stores import Store

# So often, and so many lines at a time: what is more waits on the node, or for the worker in the end.
_SECONDS = 5.0
_MOST_LINES = 500
_LONGEST = 1 << 20
_PAUSE = 5.0
_LAST_SECONDS = 10.0
_REFUSED = (401, 403)


class PodLines:
    """Reads a pod's log as it grows, and tells its lines in batches.

    How far it came it notes in the job's staging area, after each batch: from there another triggerer goes
    on, which repeats one batch at worst, and the worker that comes back tells the rest. So nothing is left
    out, although what is told here is rarely all of it.

    :param hook: The Kubernetes provider's, which is asked for a client.
    :param name, namespace: The pod's.
    :param area: The job's staging area, once somebody asks for it; None if it is not found.
    :param tell: Called with each line.
    :param warn: Called with the reason why no more is told here.
    """

    def __init__(
        self,
        hook: AsyncKubernetesHook,
        name: str,
        namespace: str,
        area: Callable[[], Store | None],
        tell: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self._hook, self._name, self._namespace = hook, name, namespace
        self._find_area, self._warn = area, warn
        self._reader = LineReader(lambda line: tell(redact(line)))
        self._area: Store | None = None
        self._position = LogPosition()
        self._noted = 0
        self._begun = asyncio.Event()
        self._telling = asyncio.Lock()

    def begin(self) -> None:
        """The pod has something to say."""
        self._begun.set()

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Tell lines during the block. At its end what was told is noted."""
        task = asyncio.create_task(self._work())
        try:
            yield
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._telling.acquire(), _LAST_SECONDS)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task

    async def _work(self) -> None:
        from kubernetes_asyncio.client.exceptions import ApiException

        await self._begun.wait()
        while True:
            try:
                if self._area is None:
                    self._area = await in_thread(self._find_area)
                    if self._area is None:
                        return
                    self._position = await in_thread(lambda: LogPosition.noted(self._noted_in))
                    self._noted = self._position.lines
                await self._follow()
            except ApiException as error:
                if error.status in _REFUSED:
                    return self._warn(f"the cluster does not let the triggerer read its log ({error.reason})")
            except _TooLong:
                return self._warn("it prints a line without end")
            except Exception:  # each kind of store has errors of its own; the worker tells what is left
                pass
            await asyncio.sleep(_PAUSE)

    @property
    def _noted_in(self) -> Store:
        assert self._area is not None
        return self._area

    async def _follow(self) -> None:
        """Read until the connection ends, as it does with the pod."""
        rest = b""
        async with self._opened() as content:
            while True:
                end = time.monotonic() + _SECONDS
                lines: list[bytes] = []
                piece: bytes | None = b"-"
                while piece and len(lines) < _MOST_LINES and (left := end - time.monotonic()) > 0:
                    piece = await _within(left, content.readany())
                    *whole, rest = (rest + (piece or b"")).split(b"\n")
                    lines += whole
                for first in range(0, len(lines), _MOST_LINES):
                    async with self._telling:
                        await in_thread(lambda some=lines[first : first + _MOST_LINES]: self._tell(some))  # type: ignore[misc]
                    await asyncio.sleep(max(0.0, end - time.monotonic()))
                    end += _SECONDS
                if piece == b"":
                    return
                if len(rest) > _LONGEST:
                    raise _TooLong

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Any]:
        from aiohttp import ClientTimeout
        from kubernetes_asyncio.client import CoreV1Api

        since = self._position.since
        async with self._hook.get_conn() as connection:
            api: Any = CoreV1Api(connection)
            answer = await api.read_namespaced_pod_log(
                name=self._name,
                namespace=self._namespace,
                container=CONTAINER,
                follow=True,
                timestamps=True,
                **({"since_seconds": since} if since is not None else {}),
                _preload_content=False,
                _request_timeout=ClientTimeout(total=None, sock_connect=10, sock_read=120),
            )
            try:
                yield answer.content
            finally:
                answer.close()

    def _tell(self, lines: Sequence[bytes]) -> None:
        """In a thread, which goes on to its end when the triggerer ends."""
        self._note()  # should that have failed the last time: then nothing more is told
        for line in lines:
            text = self._position.take(line)
            if text is not None:
                self._reader.feed(text + b"\n")
        self._note()

    def _note(self) -> None:
        if self._position.lines > self._noted:
            self._position.note(self._noted_in)
            self._noted = self._position.lines


async def _within(seconds: float, reading: Coroutine[Any, Any, bytes]) -> bytes | None:
    """What is read, or None after so long. ``asyncio.wait_for`` loses cancellations before Python 3.12."""
    task = asyncio.create_task(reading)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
    with suppress(asyncio.CancelledError):
        return await task
    return None


class _TooLong(Exception):
    pass

"""ClaimedTrigger: waits for a step's job, and lets the runs that wait for its result know that it goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from mlsteps.reuse.claim import Claims
from mlsteps.reuse.handed_on import HandedOn
from mlsteps.triggers.clearing import clear_staged, staging_area
from mlsteps.triggers.threads import in_thread
from mlsteps.workspace import Workspace

_SECONDS_BETWEEN_SIGNS = 5.0


class ClaimedTrigger(BaseTrigger):
    """Waits by means of another trigger; meanwhile it gives the signs of life of the step's claim.

    :param classpath, settings: The trigger that waits, as its ``serialize()`` tells it.
    :param workspace: The locator of the workspace where results are kept.
    :param suspended: What the step is told when it goes on; it has claim and deadline, if any.
    :param staged: What is to be cleared away when somebody ends the task, see ``JobSuspended``.
    """

    def __init__(
        self,
        classpath: str,
        settings: Mapping[str, Any],
        workspace: str,
        suspended: Mapping[str, Any],
        staged: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.classpath = classpath
        self.settings = dict(settings)
        self.workspace = workspace
        self.suspended = dict(suspended)
        self.staged = dict(staged) if staged else None
        self._inner: BaseTrigger | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As Airflow's database keeps it."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "classpath": self.classpath,
            "settings": self.settings,
            "workspace": self.workspace,
            "suspended": self.suspended,
            "staged": self.staged,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, with what the step is told: the other trigger has, or its time is over."""
        signs = asyncio.create_task(self._give_signs()) if self.suspended.get("claim") else None
        told = self.suspended
        event = None
        try:
            event = await asyncio.wait_for(self._first_event(), self._seconds_left)
        except asyncio.TimeoutError:
            self.log.info("The time that the task may take is over.")
            told = {**told, "overdue": True}
        except Exception as error:  # whatever another trigger may raise: a worker can wait as well
            self.log.exception("The wait has failed: %s", error)
        finally:
            if signs is not None:
                signs.cancel()
                with suppress(asyncio.CancelledError):
                    await signs
        # Not by the keyword arguments of a deferral, which a test run's Airflow (3.3) forgets.
        yield TriggerEvent({"suspended": told, "event": event})  # type: ignore[no-untyped-call]

    async def _first_event(self) -> Any:
        events = self._waiting().run()
        try:
            async for event in events:
                return event.payload
            return None
        finally:
            await events.aclose()  # type: ignore[attr-defined]

    @property
    def _seconds_left(self) -> float | None:
        at = self.suspended.get("deadline")
        return max(0.0, at - time.time()) if at is not None else None

    async def on_kill(self) -> None:
        """End what the other trigger waits for, and clear away what it left: somebody has ended the task.

        Airflow has it since 3.3.
        """
        end = getattr(self._waiting(), "on_kill", None)
        if end is not None:
            await end()
        if self.staged is not None:
            staged = self.staged
            await in_thread(lambda: clear_staged(Workspace.from_locator(self.workspace), staged))

    async def cleanup(self) -> None:
        """Let the other trigger clear up: this one ends, for whatever reason."""
        await self._waiting().cleanup()

    def _waiting(self) -> BaseTrigger:
        """The other trigger, as one object: it knows whether it is done."""
        if self._inner is None:
            module, _, name = self.classpath.rpartition(".")
            from importlib import import_module

            made: BaseTrigger = getattr(import_module(module), name)(**self.settings)
            if getattr(self, "task_instance", None) is not None:
                made.task_instance = self.task_instance
            if self.staged is not None and hasattr(made, "find_area"):
                made.find_area = self._area
            self._inner = made
        return self._inner

    def _area(self) -> Any:
        assert self.staged is not None
        return staging_area(Workspace.from_locator(self.workspace), self.staged)

    async def _give_signs(self) -> None:
        handed_on: HandedOn | None = None
        while True:
            try:
                if handed_on is None:
                    handed_on = await in_thread(self._open)
                await in_thread(handed_on.give_sign)
            except (
                Exception
            ) as error:  # each kind of store has errors of its own; nothing depends on one sign
                self.log.debug("No sign of life could be given: %s", error)
            await asyncio.sleep(_SECONDS_BETWEEN_SIGNS)

    def _open(self) -> HandedOn:
        store = Workspace.from_locator(self.workspace).record_store()
        return HandedOn(Claims(store), self.suspended["claim"])

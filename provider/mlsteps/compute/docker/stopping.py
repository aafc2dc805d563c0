"""Asking a container to stop, until it has or is overdue."""

from __future__ import annotations

import contextlib
import time
from typing import Any

# The launcher is asked to end the script and has until then; Airflow kills a task five seconds after asking.
_PATIENCE = 4.3
_ASK_AGAIN_SECONDS = 0.5


class Stopping:
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

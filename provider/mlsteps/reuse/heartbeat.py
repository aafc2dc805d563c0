"""Heartbeat: the sign of life of whoever holds a claim."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic

log = logging.getLogger(__name__)


class Heartbeat:
    """Gives a sign every few seconds from a thread of its own, and knows whether others may have missed it.

    :param give: Writes the sign; it never says the same twice.
    :param still_ours: Whether nobody has taken over. Errors count as yes.
    :param every: Seconds between two signs.
    :param patience: Others may think us dead if they see no new sign for longer than this.
    """

    def __init__(
        self,
        give: Callable[[bytes], None],
        still_ours: Callable[[], bool],
        every: float,
        patience: float,
        since: float,
    ) -> None:
        self._give = give
        self._still_ours = still_ours
        self._every = every
        self._patience = patience
        self._given = since  # when the last sign that was given was begun: it may have been visible from then
        self._missed = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mlsteps-claim", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Give no more signs, but for one that may be on its way."""
        self._stop.set()

    def stop(self) -> None:
        """Give no more signs, and wait for one that is on its way."""
        self.end()
        self._thread.join(self._patience)

    @property
    def missed(self) -> bool:
        """Whether others may have thought us dead meanwhile. Once true it stays so."""
        if monotonic() - self._given > self._patience:
            self._missed = True
        return self._missed

    def _run(self) -> None:
        count = 0
        while not self._stop.wait(self._every) and not self.missed:
            count += 1
            begun = monotonic()
            try:
                self._give(str(count).encode())
            except Exception as error:  # each kind of store has errors of its own
                log.debug("No sign of life could be given: %s", error)
            else:
                if not self.missed:
                    self._given = begun
            try:
                if not self._still_ours():
                    self._missed = True
            except Exception as error:
                log.debug("Whether the claim still stands cannot be read now: %s", error)

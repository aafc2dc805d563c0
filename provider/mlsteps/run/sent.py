"""SentHome: a run directory of this machine, of which everything is sent to a folder elsewhere."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mlsteps.run.files import PathOrStream, Stored, UploadFolder
from mlsteps.run.home import RunHome
from mlsteps.run.journal import Journal
from mlsteps.run.protocol import JOURNAL_FILE, Event

# What may be spent on sending at once what a script logs: so many seconds, and that part of the time that has
# passed. What comes after that waits for the next moment below.
_FREE_SECONDS = 5.0
_SHARE = 0.1
_LATER_SECONDS = 5.0


class Place(Protocol):
    """A folder elsewhere."""

    def write(self, name: str, text: str) -> None:
        """Write or replace a file."""

    def put(self, source: str, name: str) -> None:
        """Copy a local file."""


@dataclass(frozen=True)
class SentHome(RunHome):
    """A run directory whose journal and uploads are sent to ``place``."""

    place: Place

    def journal(self) -> Journal:
        """Where events go."""
        return SentJournal(os.path.join(self.root, JOURNAL_FILE), self.place)

    def uploads(self, owner: str, working_directory: str | None) -> UploadFolder:
        """Where the files of ``owner`` go."""
        return SentUploads(self.root, owner, working_directory, self.place)


@dataclass(frozen=True)
class SentJournal(Journal):
    """A journal that is sent to ``place`` as a whole, since storage does not append."""

    place: Place

    def append(self, event: Event) -> None:
        """Append one event, and send it soon: at once, unless the script logs all the time."""
        super().append(event)
        _sender_of(self).changed()

    def flush(self) -> None:
        """Return when the events have been sent."""
        super().flush()
        _sender_of(self).send()


class SentUploads(UploadFolder):
    """Uploads that are sent to ``place`` before anybody hears of them."""

    def __init__(self, root: str, owner: str, working_directory: str | None, place: Place) -> None:
        super().__init__(root, owner, working_directory)
        self._place = place

    def store(self, name: str, source: PathOrStream) -> Stored:
        """Take in a file or stream; see ``UploadFolder``."""
        stored = super().store(name, source)
        path = os.path.join(self.root, stored.path)
        try:
            self._place.put(path, stored.path)
        except BaseException:
            os.unlink(path)  # so that the script may try again under the same name
            raise
        return stored


class _Sender:
    """Sends one journal: as often as it may, and at each moment that may be the code's last."""

    def __init__(self, journal: SentJournal) -> None:
        self._journal = journal
        self._began = time.monotonic()
        self._spent = 0.0
        self._sent = -1
        self._lock = threading.Lock()
        self._later: threading.Timer | None = None
        self._watched = False

    def changed(self) -> None:
        """There is more to send."""
        if not self._watched:
            self._watched = True
            atexit.register(self._try_to_send)
            _at_the_end_of_each_cell(self._try_to_send)
        if self._spent <= _FREE_SECONDS + _SHARE * (time.monotonic() - self._began):
            self._try_to_send()
        elif self._later is None:
            self._later = threading.Timer(_LATER_SECONDS, self._send_late)
            self._later.daemon = True
            self._later.start()

    def send(self) -> None:
        """Send all there is."""
        with self._lock:
            try:
                with open(self._journal.path, encoding="ascii") as file:
                    text = file.read()
            except FileNotFoundError:
                return
            if len(text) == self._sent:
                return
            started = time.monotonic()
            self._journal.place.write(JOURNAL_FILE, text)
            self._sent = len(text)
            self._spent += time.monotonic() - started

    def _send_late(self) -> None:
        self._later = None
        self._try_to_send()

    def _try_to_send(self, *ignored: object) -> None:
        """Send; the code goes on where that fails, and what is not sent goes with what comes next."""
        try:
            self.send()
        except Exception as error:  # each storage driver has errors of its own
            warnings.warn(f"What the run has logged could not be sent yet: {error}", stacklevel=2)


# One for each journal in a process: a forked one must not wait for a lock that another process holds.
_senders: dict[tuple[int, str], _Sender] = {}


def _sender_of(journal: SentJournal) -> _Sender:
    return _senders.setdefault((os.getpid(), journal.path), _Sender(journal))


def _at_the_end_of_each_cell(send: Callable[..., None]) -> None:
    """Notebooks end without telling: what runs them is IPython, which tells the end of each cell."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        shell.events.register("post_run_cell", send)

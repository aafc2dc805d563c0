"""What the parts of ``Run`` share: who the run is, where its events go, where its files are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlsteps.run.experiment import RunExperiment
from mlsteps.run.files import RunFiles
from mlsteps.run.journal import EventLog, utc_now
from mlsteps.run.protocol import Event


@dataclass(frozen=True)
class Identity:
    """Who a run is, and what was known of it before this script started."""

    id: str
    name: str
    target: str
    type: str
    experiment: RunExperiment
    number: int | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[Event, ...] = ()
    models: Mapping[str, int] = field(default_factory=dict)


class RunCore:
    """Base of the parts of ``Run``. All state is in the log, so threads and processes see one run.

    The methods at the end are what one part needs of another.
    """

    _identity: Identity
    _log: EventLog
    _files: RunFiles

    def _record(self, event: str, /, **fields: Any) -> None:
        self._log.append({"event": event, "time": utc_now(), "target": self._identity.target, **fields})

    def _recorded(self, kind: str) -> list[Event]:
        """This run's own events of one kind, oldest first."""
        wanted = (kind, self._identity.target)
        return [event for event in self._log.events() if (event["event"], event.get("target")) == wanted]

    def _upload_image(self, name: str, path: str | os.PathLike[str] | None, plot: Any) -> str:
        """Upload an image or plot and return its name among the run files."""
        raise NotImplementedError

    def _with_descendants(self) -> Iterator[Any]:
        """This run, then all child runs below it."""
        raise NotImplementedError

    def _open_child(self, child: str, name: str, tags: Mapping[str, str | None]) -> Any:
        """The child run that was recorded like this."""
        raise NotImplementedError

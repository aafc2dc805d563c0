"""How a run says it ended, read from its journal: used by the launcher next to the exit code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mlsteps.run.protocol import SELF, Event, EventKind, RunStatus

# A script that fails, tidies up and then calls complete() has failed all the same.
_WEIGHT = {RunStatus.COMPLETED: 0, RunStatus.CANCELED: 1, RunStatus.FAILED: 2}


@dataclass(frozen=True)
class DeclaredEnd:
    """The end a script declared.

    ``status`` is ``Completed`` (a note: the exit code decides), ``Canceled``, or ``Failed`` (even with exit
    code 0).
    """

    status: str
    details: str | None = None
    code: str | None = None


def declared_end(events: Iterable[Event], target: str = SELF) -> DeclaredEnd | None:
    """How ``target`` declared its end; None if it did not.

    Failed outweighs canceled, which outweighs completed. Of several declarations of one weight the first
    counts: it is nearest to the cause.
    """
    end: DeclaredEnd | None = None
    for event in events:
        if event.get("target") != target:
            continue
        if event["event"] == EventKind.CANCEL:
            declared = DeclaredEnd(RunStatus.CANCELED)
        elif event["event"] == EventKind.STATUS:
            declared = DeclaredEnd(event["status"], event.get("details"), event.get("code"))
        else:
            continue
        if end is None or _WEIGHT[declared.status] > _WEIGHT[end.status]:
            end = declared
    return end

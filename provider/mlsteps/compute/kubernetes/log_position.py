"""LogPosition: how far a pod's log was told, whoever tells it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlsteps.data.stores import Store

_OVERLAP = 60  # seconds that are asked for again: clocks differ
_FILE = "told.json"
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+")


@dataclass
class LogPosition:
    """Takes the lines of a pod's log, each with its time in front, and lets each pass once.

    :param last: The time of the last line that was told.
    :param lines: How many there were.
    """

    last: str = ""
    lines: int = 0

    @property
    def since(self) -> int | None:
        """Of how many of the last seconds lines are to be asked for; None is all of them."""
        if not self.last:
            return None
        when = datetime.fromisoformat(self.last[:19]).replace(tzinfo=timezone.utc)
        return max(0, int((datetime.now(timezone.utc) - when).total_seconds())) + _OVERLAP

    def take(self, line: bytes) -> bytes | None:
        """What was printed; None if that was told before, or is the cluster's own word."""
        stamp, _, text = line.partition(b" ")
        when = _sortable(stamp.decode("ascii", "replace"))
        if when <= self.last or not when[:4].isdigit():
            return None
        self.last = when
        self.lines += 1
        return text

    @classmethod
    def noted(cls, area: Store) -> LogPosition:
        """As the last one who told of this pod has noted it in the job's staging area."""
        try:
            told = json.loads(area.read(_FILE))
            if _STAMP.fullmatch(told["last"]):
                return cls(told["last"], int(told["lines"]))
        except FileNotFoundError:
            pass
        except (ValueError, TypeError, KeyError):  # the job may write there, too
            pass
        return cls()

    def note(self, area: Store) -> None:
        """Note it there. Errors of the store are raised."""
        area.write(_FILE, json.dumps({"last": self.last, "lines": self.lines}).encode())


def _sortable(stamp: str) -> str:
    """``2026-01-02T03:04:05.12Z`` with all nine digits behind the point, of which zeros are left out."""
    seconds, _, fraction = stamp.rstrip("Z").partition(".")
    return f"{seconds}.{fraction:0<9}"

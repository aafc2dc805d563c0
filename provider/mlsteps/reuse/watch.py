"""Watch: whether the holder of a claim is dead, as a waiter can tell without trusting anybody's clock."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from mlsteps.records.store import RecordStore
from mlsteps.reuse import layout
from mlsteps.reuse.process import has_ended

log = logging.getLogger(__name__)

ELSEWHERE = "elsewhere-"
"""What a sign of life begins with whose giver need not be the process that made the claim."""


@dataclass(frozen=True)
class Held:
    """Somebody else has the claim.

    :param holder: What the holder told of itself, with its host and process; empty if that is unreadable.
    :param id: Of the claim; another holder, or the same one later, has another.
    :param fingerprint: What is being computed.
    """

    holder: Mapping[str, Any]
    id: str
    fingerprint: str


@dataclass(frozen=True)
class _Observation:
    """How long a sign of life has stood still.

    :param beat: What it says; None if there is none yet.
    :param unchanged: For how many seconds it was seen to say that.
    :param seen: When it was last seen, by the monotonic clock; None after it could not be read.
    """

    id: str
    beat: str | None
    unchanged: float
    seen: float | None


class Watch:
    """What a waiter has seen so far of the holders it waits for.

    A holder is dead at once if its process can be looked up from here and has ended. Else it is dead when
    its sign of life has not changed for ``lease`` seconds of this machine's monotonic clock. Time during
    which the store did not answer is not counted: then the holder could not have given a sign, either.
    """

    def __init__(self, store: RecordStore, lease: float) -> None:
        self._store = store
        self._lease = lease
        self._observed: dict[str, _Observation] = {}

    def dead(self, held: Held) -> bool:
        """Whether this holder is dead. To be asked again and again: it takes a while to be sure."""
        ended = has_ended(held.holder)
        before = self._observed.get(held.fingerprint)
        try:
            beat = self._beat(held)
        except Exception as error:  # each kind of store has errors of its own
            log.debug("No sign of life can be read now: %s", error)
            if before is not None:
                now_blind = _Observation(before.id, before.beat, before.unchanged, None)
                self._observed[held.fingerprint] = now_blind
            return ended
        if ended and not (beat or "").startswith(ELSEWHERE):
            return True
        now = monotonic()
        unchanged = 0.0
        if before is not None and (before.id, before.beat) == (held.id, beat):
            unchanged = before.unchanged
            if before.seen is not None:
                unchanged += now - before.seen
        self._observed[held.fingerprint] = _Observation(held.id, beat, unchanged, now)
        return unchanged >= self._lease

    def to_json(self) -> dict[str, Any]:
        """What was seen, as plain JSON, for a later process of the same boot to go on with."""
        return {"boot": _boot(), "observed": {name: asdict(seen) for name, seen in self._observed.items()}}

    @classmethod
    def from_json(cls, store: RecordStore, lease: float, saved: object) -> Watch:
        """Go on with what :meth:`to_json` gave. After another boot, or if it is anything else, begin anew."""
        watch = cls(store, lease)
        boot = _boot()
        if not isinstance(saved, Mapping) or not boot or saved.get("boot") != boot:
            return watch
        try:
            observed = {name: _Observation(**seen) for name, seen in saved["observed"].items()}
            # A clock that reads less than it did is another one.
            sound = all(seen.unchanged >= 0 and (seen.seen or 0) <= monotonic() for seen in observed.values())
        except (TypeError, KeyError, AttributeError):
            return watch
        if sound:
            watch._observed = observed
        return watch

    def _beat(self, held: Held) -> str | None:
        try:
            return self._store.read(layout.beat(held.fingerprint, held.id)).decode(errors="replace")
        except FileNotFoundError:
            return None


def _boot() -> str:
    """What tells one run of the monotonic clock from another; empty where unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""

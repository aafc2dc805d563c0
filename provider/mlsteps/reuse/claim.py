"""Claims: one run at a time computes a fingerprint, on any store, without a lock server.

A store can create a file for exactly one of many callers, replace, read and delete it. It cannot compare
and swap, its listings may be old, and hosts agree on no clock. With that:

- The first claim on a fingerprint is ``<digits>.json``, created exclusively. It has a random id, says who
  holds it, and is never written again: a process that was taken for dead cannot bring its claim back.
- The holder's sign of life is another file, ``<digits>.<id>.beat``, with a number that grows.
- Whether a holder is dead is decided by :class:`~mlsteps.reuse.watch.Watch`.
- To take over from a dead holder is to create ``<digits>.after.<its id>.json``, so each has one successor,
  who may die in turn. Who stands at the end of this chain from the first claim on holds it. The taker looks
  afterwards: if the chain does not end with it, the dead claim had been cleared away meanwhile; the taker
  withdraws and starts over. Ids never return, so what is deleted below the name of one harms nobody.
- A holder that ends while its work goes on elsewhere, in Airflow's triggerer and later in another process,
  hands its claim on: it says so in its sign of life, so that nobody takes it for dead because its process
  has ended.
- To release is to look that the chain still ends with oneself, delete the first claim, then the others and
  all signs of life. Files of the fingerprint outside of the chain, left by a process that was killed while it
  withdrew, were listed before that look and are deleted as well: only the holder does this, and none of them
  can ever be reached again.
- A holder whose own sign of life was not renewed for half a lease, counted from the beginning of the last
  write to the end of the next, counts its claim as lost and touches nothing but that sign. So does one that
  finds somebody else at the end of the chain, which it looks at with every sign it gives.

Three corners. A create that failed or was answered "exists" may have been done all the same (a request sent
twice): who finds its own id there has the claim, who gives up takes it back. A claim that cannot be read has
an id made of its place and bytes, so that it can be watched and taken over like any other. And one hole is
left: a holder that stops for half a lease between its last look and the deletion of the first claim may
delete the claim of another. That costs one computation done twice, as does a store that shows old files; no
result is ever wrong, because results are whole files that do not depend on claims.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import weakref
from collections.abc import Mapping
from time import monotonic
from types import TracebackType
from typing import Any
from uuid import uuid4

from mlsteps.exceptions import UserErrorException
from mlsteps.records.store import dump_json
from mlsteps.reuse import layout
from mlsteps.reuse.heartbeat import Heartbeat
from mlsteps.reuse.process import process_facts
from mlsteps.reuse.storage import ReuseStorage
from mlsteps.reuse.watch import ELSEWHERE, Held, Watch

__all__ = ["Claim", "Claims", "Held", "Watch"]

log = logging.getLogger(__name__)

VERSION = 1

_ID = re.compile(r"[0-9a-z]{1,64}")
_ROUNDS = 5
_LONGEST = 1000


class Claims:
    """Claims on fingerprints, on one store.

    :param lease: A holder that gives no sign of life for so many seconds is dead, unless that is known
        earlier. All who share a store have to use the same.
    :param beat_every: Seconds between two signs of life; at most a quarter of the lease.
    """

    def __init__(self, store: ReuseStorage, lease: float = 60.0, beat_every: float = 5.0) -> None:
        if not 0 < beat_every * 4 <= lease:
            raise UserErrorException(
                f"beat_every={beat_every} must be above 0 and at most a quarter of lease={lease}."
            )
        self._store = store
        self._lease = lease
        self._beat_every = beat_every

    def watch(self, saved: object = None) -> Watch:
        """A new watch, or one that goes on with what ``Watch.to_json`` gave."""
        return Watch.from_json(self._store, self._lease, saved)

    def current(self, fingerprint: str, watch: Watch) -> Held | None:
        """Who computes this now; None if nobody does, or nobody who lives. Errors of the store are raised."""
        chain = self._chain(fingerprint)
        return chain[-1] if chain and not watch.dead(chain[-1]) else None

    def try_acquire(
        self, fingerprint: str, holder: Mapping[str, Any], watch: Watch | None = None
    ) -> Claim | Held:
        """Claim a fingerprint, if nobody holds it or its holder is dead. Errors of the store are raised.

        :param holder: Who claims it, as plain JSON, for those who wait. Host and process are added.
        :param watch: Of a caller who comes again until it gets the claim. Without one, a holder is only known
            to be dead where its process can be looked up.
        """
        watch = watch or self.watch()
        claim_id, begun = uuid4().hex, monotonic()
        data = dump_json({"version": VERSION, "id": claim_id, "holder": {**holder, **process_facts()}})
        for _ in range(_ROUNDS):
            chain = self._chain(fingerprint)
            last = chain[-1] if chain else None
            if last is not None and last.id != claim_id:
                if not watch.dead(last):
                    return last
                if self._place(fingerprint, claim_id, data, last):
                    log.info("Takes over from a holder that died: %s", dict(last.holder))
                    return Claim(self, fingerprint, claim_id, begun)
            elif last is not None or self._place(fingerprint, claim_id, data, None):
                return Claim(self, fingerprint, claim_id, begun)
        # Somebody else is faster each time, or the store does not show yet who it is.
        return Held({}, "", fingerprint)

    def adopt(self, fingerprint: str, claim_id: str) -> Claim | None:
        """Go on with a claim that was handed on; None if it stands no more. Errors are raised."""
        if not self._ends_with(fingerprint, claim_id):
            return None
        voice = f"{ELSEWHERE}{uuid4().hex[:8]}-"
        self._store.write(layout.beat(fingerprint, claim_id), voice.encode())
        return Claim(self, fingerprint, claim_id, monotonic(), voice)

    def sign_elsewhere(self, fingerprint: str, claim_id: str, sign: str) -> None:
        """Give a sign of life of a claim whose holder's process may have ended."""
        self._store.write(layout.beat(fingerprint, claim_id), f"{ELSEWHERE}{sign}".encode())

    def _place(self, fingerprint: str, claim_id: str, data: bytes, dead: Held | None) -> bool:
        """Write a claim after a dead one, or as the first; whether it counts."""
        path = layout.successor(fingerprint, dead.id) if dead else layout.claim(fingerprint)
        try:
            if not self._store.create(path, data):
                return False
            if dead is None or self._ends_with(fingerprint, claim_id):
                return True
            self._store.delete(path)
            return False
        except BaseException:
            with contextlib.suppress(Exception):
                if _parse(fingerprint, path, self._store.read(path)).id == claim_id:
                    self._store.delete(path)
            raise

    def _chain(self, fingerprint: str) -> list[Held]:
        """The claims on a fingerprint: the first, who took over from it, and so on to who holds it."""
        chain: list[Held] = []
        path = layout.claim(fingerprint)
        while len(chain) < _LONGEST:
            try:
                data = self._store.read(path)
            except FileNotFoundError:
                break
            chain.append(_parse(fingerprint, path, data))
            path = layout.successor(fingerprint, chain[-1].id)
        return chain

    def _ends_with(self, fingerprint: str, claim_id: str) -> bool:
        chain = self._chain(fingerprint)
        return bool(chain) and chain[-1].id == claim_id

    def _clear(self, claim: Claim, heartbeat: Heartbeat) -> bool:
        """Delete every file of a fingerprint if this claim holds it; whether it did."""
        fingerprint, left = claim.fingerprint, list[str]()
        with contextlib.suppress(Exception):  # there is hardly ever something that only the listing shows
            left = self._store.list_names(layout.CLAIMS)
        chain = self._chain(fingerprint)
        if not chain or chain[-1].id != claim.id or heartbeat.missed:
            return False
        first, start = layout.claim(fingerprint), f"{layout.digits(fingerprint)}."
        self._store.delete(first)
        paths = {f"{layout.CLAIMS}/{name}" for name in left if name.startswith(start)}
        for held in chain[:-1]:
            paths |= {layout.successor(fingerprint, held.id), layout.beat(fingerprint, held.id)}
        for path in sorted(paths - {first}):  # which by now may be somebody else's
            self._store.delete(path)
        return True


class Claim:
    """The right to compute a fingerprint, until it is released. Made by :meth:`Claims.try_acquire`.

    A context manager that releases it at the end.
    """

    def __init__(
        self, claims: Claims, fingerprint: str, claim_id: str, since: float, voice: str = ""
    ) -> None:
        self.fingerprint = fingerprint
        self.id = claim_id
        self._claims = claims
        self._process = os.getpid()
        self._kept: bool | None = None  # until the end, once that has come
        store, beat = claims._store, layout.beat(fingerprint, claim_id)
        self._heartbeat = Heartbeat(
            give=lambda sign: store.write(beat, voice.encode() + sign),
            still_ours=lambda: claims._ends_with(fingerprint, claim_id),
            every=claims._beat_every,
            patience=claims._lease / 2,
            since=since,
        )
        self._heartbeat.start()
        # A claim that was forgotten expires.
        weakref.finalize(self, self._heartbeat.end)

    def __enter__(self) -> Claim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @property
    def lost(self) -> bool:
        """Whether somebody else may compute the same now. It is no reason to stop: both make the same."""
        if os.getpid() != self._process:  # a forked child has the object but no claim
            return True
        return self._heartbeat.missed if self._kept is None else not self._kept

    def hand_on(self) -> dict[str, str]:
        """End without releasing it, since the work goes on elsewhere; as plain JSON for ``HandedOn``.

        From now on somebody else has to give signs of life. Whether this one came through does not matter: it
        then counts as the claim of a dead holder.
        """
        self._heartbeat.stop()
        self._kept = not self._heartbeat.missed
        with contextlib.suppress(Exception):
            self._claims.sign_elsewhere(self.fingerprint, self.id, "handed on")
        return {"fingerprint": self.fingerprint, "claim": self.id}

    def release(self) -> None:
        """Let others have it. Never raises: what cannot be deleted counts as the claim of a dead holder."""
        if self._kept is not None or os.getpid() != self._process:
            return
        self._heartbeat.stop()
        self._kept = not self._heartbeat.missed
        try:
            self._kept = self._claims._clear(self, self._heartbeat)
        except Exception as error:  # each kind of store has errors of its own
            log.warning("The claim on %s is left to expire: %s", self.fingerprint, error)
        with contextlib.suppress(Exception):
            self._claims._store.delete(layout.beat(self.fingerprint, self.id))


def _parse(fingerprint: str, path: str, data: bytes) -> Held:
    """A claim of this version or another one, or of nobody known if it cannot be read."""
    try:
        value = json.loads(data)
        claim_id, holder = value["id"], value["holder"]
        if isinstance(holder, dict) and _ID.fullmatch(claim_id):
            return Held(holder, claim_id, fingerprint)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return Held({}, f"x{hashlib.sha256(path.encode() + data).hexdigest()[:31]}", fingerprint)

"""single_flight: compute a fingerprint once, and let everybody else wait for the result."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mlsteps.reuse.claim import Claim, Claims
from mlsteps.reuse.watch import Held

log = logging.getLogger(__name__)

T = TypeVar("T")

_ATTEMPTS = 4
_SHORTEST, _LONGEST, _GROWTH = 0.05, 2.0, 1.5
_REMIND_SECONDS = 30.0


@dataclass(frozen=True)
class Found(Generic[T]):
    """There is a result."""

    value: T


@dataclass(frozen=True)
class Mine:
    """Compute it.

    :param claim: Keeps others from doing the same; None if the store did not let us claim anything.
    """

    claim: Claim | None


@dataclass(frozen=True)
class TimedOut:
    """Waited long enough: compute it without a claim.

    :param holder: What the one that still computes it told of itself.
    """

    holder: Mapping[str, Any]


@dataclass(frozen=True)
class Cancelled:
    """The caller does not want it any more: do nothing."""


@contextmanager
def single_flight(
    claims: Claims,
    fingerprint: str,
    holder: Mapping[str, Any],
    lookup: Callable[[], T | None],
    timeout: float,
    waiting: Callable[[Held, float], None],
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Found[T] | Mine | TimedOut | Cancelled]:
    """Wait until there is a result or the right to compute it, which is given back at the end of the block.

    Record the result inside of the block, so that whoever has the right next finds it. Nothing here is
    needed for a correct result: where the store fails, the result is computed twice.

    :param holder: Who asks, as plain JSON, for the others that wait.
    :param lookup: The result, if there is one. Asked at once, whenever another one begins to compute it,
        every half minute, and when the claim is had already.
    :param timeout: How many seconds to wait for others.
    :param waiting: Told who computes it and for how long this caller has waited: at once, when that changes,
        and every half minute.
    :param cancelled: Whether the result is not wanted any more.
    """
    outcome = _outcome(claims, fingerprint, holder, lookup, timeout, waiting, cancelled)
    try:
        yield outcome
    finally:
        if isinstance(outcome, Mine) and outcome.claim is not None:
            outcome.claim.release()


def _outcome(
    claims: Claims,
    fingerprint: str,
    holder: Mapping[str, Any],
    lookup: Callable[[], T | None],
    timeout: float,
    waiting: Callable[[Held, float], None],
    cancelled: Callable[[], bool],
) -> Found[T] | Mine | TimedOut | Cancelled:
    value = lookup()
    if value is not None:
        return Found(value)
    watch, began, pause, failures = claims.watch(), time.monotonic(), _SHORTEST, 0
    known, told = None, 0.0
    while not cancelled():
        try:
            got = claims.try_acquire(fingerprint, holder, watch)
        except Exception as error:  # each kind of store has errors of its own
            failures += 1
            if failures == _ATTEMPTS:
                log.warning("Others may compute %s as well: it cannot be claimed: %s", fingerprint, error)
                return Mine(None)
        else:
            failures = 0
            if isinstance(got, Claim):
                return _with_claim(got, lookup)
            waited = time.monotonic() - began
            news = got.id != known or waited >= min(told + _REMIND_SECONDS, timeout)
            if news and known is not None:
                value = lookup()
                if value is not None:
                    return Found(value)
            if waited >= timeout:
                return TimedOut(got.holder)
            if news:
                waiting(got, waited)
                pause = pause if got.id == known else _SHORTEST
                known, told = got.id, waited
        # Not all at the same moment.
        left = max(began + timeout - time.monotonic(), _SHORTEST)
        time.sleep(min(pause * random.uniform(0.8, 1.2), left))
        pause = min(pause * _GROWTH, _LONGEST)
    return Cancelled()


def _with_claim(claim: Claim, lookup: Callable[[], T | None]) -> Found[T] | Mine:
    """What to do now that nobody else computes it: perhaps somebody just did."""
    try:
        value = lookup()
    except BaseException:
        claim.release()
        raise
    if value is None:
        return Mine(claim)
    claim.release()
    return Found(value)

"""Defer: a step's task ends for now, Airflow's triggerer waits for its job, and another process goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from mlsteps.reuse.claim import Claim, Claims
from mlsteps.reuse.handed_on import HandedOn

if TYPE_CHECKING:
    from mlsteps.compute import JobSuspended
    from mlsteps.steps.attempt import Attempt
    from mlsteps.steps.deadline import Deadline


def defer(
    attempt: Attempt, waiting: JobSuspended, suspended: Mapping[str, Any], deadline: Deadline
) -> NoReturn:
    """Hand the waiting to the triggerer.

    :param suspended: What the step's ``resume`` is told, as plain JSON.
    :param deadline: When the wait is over.
    :raises TaskDeferred: always; by it Airflow knows.
    """
    from mlsteps.triggers.claimed import ClaimedTrigger

    attempt.step.log.info("%s No worker waits for it.", waiting.reason)
    attempt.step.defer(
        trigger=ClaimedTrigger(
            waiting.trigger,
            waiting.settings,
            attempt.workspace.locator,
            {**suspended, **deadline.to_plain()},
            waiting.staged,
        ),
        method_name="resume",
        timeout=deadline.for_airflow,
    )
    raise AssertionError("defer() always raises")


def left_behind(attempt: Attempt, overdue: bool) -> dict[str, Any] | None:
    """What the first part of this try has left, where no trigger tells: it failed, or there was no triggerer.

    Without the claim, which is for others only.

    :param overdue: Whether the time of the task is over.
    :returns: as ``suspended``; None if this try has left no job behind.
    """
    record = attempt.record_so_far()
    if record is None or "waits" not in record.where:
        return None
    return {
        "fingerprint": record.fingerprint,
        "decision": record.decision,
        "replaces": False,
        "try_number": record.try_number,
        "claim": None,
        "overdue": overdue,
    }


@contextmanager
def claim_taken_up(attempt: Attempt, suspended: Mapping[str, Any] | None) -> Iterator[Claim | None]:
    """The claim that the first part of this try has handed on, released at the end of the block.

    :param suspended: What ``resume`` is told; None in the first part.
    """
    claim = None
    if suspended is not None and suspended["claim"]:
        try:
            claim = HandedOn(Claims(attempt.records), suspended["claim"]).taken_up()
        except Exception as error:  # each kind of store has errors of its own; it is for others only
            attempt.step.log.warning("Others may compute the same as well: %s", error)
    try:
        yield claim
    finally:
        if claim is not None:
            claim.release()

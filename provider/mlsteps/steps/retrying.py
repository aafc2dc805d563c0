"""Which failures of a step Airflow tries again, as long as the step has ``retries`` left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from mlsteps.compat import AirflowFailException, retry_policies
from mlsteps.exceptions import ScriptFailedException, UserErrorException

if TYPE_CHECKING:
    from mlsteps.steps.base import PipelineStep

_IN_VAIN = (ScriptFailedException, UserErrorException)
_REASON = "Another try would end alike. With retry_policy=None a step is tried again whatever fails."


def choose_policy(given: dict[str, Any], default_args: Mapping[str, Any]) -> bool:
    """Let what would end alike fail at once: a script that failed by itself, and wrong declarations.

    Other failures are tried again, as Airflow does. Where somebody gives another policy, or None, that holds.

    :param given: An operator's arguments; changed in place.
    :returns: Whether Airflow, before 3.3, has no policies, so that :func:`failing_at_once` has to see to it.
    """
    sdk = retry_policies()
    if "retry_policy" in given or "retry_policy" in default_args:
        if sdk is None:
            given.pop("retry_policy", None)
        return False
    if sdk is None:
        return True
    given["retry_policy"] = _policy()
    return False


@contextmanager
def failing_at_once(wanted: bool) -> Iterator[None]:
    """Turn what would end alike, where that is wanted, into the one error that every Airflow takes for final.

    :raises AirflowFailException: with the same text.
    """
    try:
        yield
    except _IN_VAIN as error:
        if not wanted:
            raise
        raise AirflowFailException(str(error)) from error


def is_final(step: PipelineStep, error: BaseException) -> bool:
    """Whether a step is not tried again after this failure, however many ``retries`` it has left."""
    policy = getattr(step, "retry_policy", None)
    ours = step.fails_at_once or any(rule.reason == _REASON for rule in getattr(policy, "rules", ()))
    return isinstance(error, AirflowFailException) or (ours and isinstance(error, _IN_VAIN))


@cache
def _policy() -> Any:
    sdk = retry_policies()
    rule = sdk.RetryRule(exception=list(_IN_VAIN), action=sdk.RetryAction.FAIL, reason=_REASON)
    return sdk.ExceptionRetryPolicy([rule])

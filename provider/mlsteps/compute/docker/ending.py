"""What became of a job's container: the launcher's result, with what only the engine knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlsteps.compute.docker.limits import ContainerLimits
from mlsteps.exceptions import ComputeTargetException
from mlsteps.launcher.result import JobResult

KILLED = 137


def how_it_ended(
    state: Mapping[str, Any], result: JobResult | None, limits: ContainerLimits, stopped: bool
) -> JobResult:
    """The job's result.

    :param state: What the engine says of the container.
    :param result: What the launcher left; None if it could not.
    :param stopped: Whether it was asked to end.
    :raises ComputeTargetException: nobody knows.
    """
    if result is not None:
        if result.stopped == "terminated" and not stopped:
            # Of a container that is killed the launcher may see the first process end, and have a last word.
            killed = state.get("ExitCode") == KILLED
            return _ended_from_outside("killed" if killed else "stopped", result)
        if state.get("OOMKilled") and not result.succeeded and not stopped:
            return _told_of_memory(result, limits)
        return result
    if stopped:
        return JobResult(stopped="terminated")
    if state.get("OOMKilled"):
        return _told_of_memory(JobResult(signal="SIGKILL"), limits)
    if state.get("ExitCode") == KILLED:
        return _ended_from_outside("killed", JobResult())
    raise ComputeTargetException(
        f"The container ended with exit code {state.get('ExitCode')} and left no result; see its output "
        f"above. {state.get('Error') or ''}".rstrip()
    )


def _ended_from_outside(how: str, result: JobResult) -> JobResult:
    told = f"The container was {how} from outside: by somebody, or with the Docker engine."
    return replace(result, stopped="outside", error=told)


def _told_of_memory(result: JobResult, limits: ContainerLimits) -> JobResult:
    from rich.filesize import decimal

    limit = f"its limit of {decimal(limits.memory)}" if limits.memory else "what the machine has"
    return replace(
        result, error=f"The container used more memory than {limit}. Raise memory on the compute target."
    )

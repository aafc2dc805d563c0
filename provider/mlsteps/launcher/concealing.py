"""Keeps the signatures that a job holds out of what is written about it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlsteps.launcher.redaction import conceal, redacted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlsteps.launcher.job import Job
    from mlsteps.launcher.result import JobResult


def conceal_signatures(job: Job) -> None:
    """Let no signature of ``job`` pass `redacted`."""
    for query in set(_queries(job)):
        conceal(query)


def without_signatures(result: JobResult) -> JobResult:
    """``result`` as it may be written. What the script itself printed is the script's."""
    return replace(
        result,
        error=None if result.error is None else redacted(result.error),
        warnings=tuple(redacted(warning) for warning in result.warnings),
    )


def _queries(job: Job) -> Iterator[str]:
    if job.snapshot_is_remote:
        yield (job.snapshot or "").partition("?")[2]
    for spec in job.inputs:
        yield spec.query
        for file in spec.files:
            yield (file.address or "").partition("?")[2]
    for output in job.outputs:
        for place in (output.upload, output.manifest_upload):
            yield place.query if place else ""
    if job.report is not None:
        yield job.report.place.query

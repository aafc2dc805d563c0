"""Turns what a successful script wrote into manifests: all of them or none."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from mlsteps.exceptions import MlstepsException
from mlsteps.launcher.stopping import NotFinished

if TYPE_CHECKING:
    from mlsteps.launcher.job import Job
    from mlsteps.launcher.manifest import Manifest
    from mlsteps.launcher.result import JobResult
    from mlsteps.launcher.stopping import StopRequest


def publish(job: Job, result: JobResult, stop: StopRequest) -> JobResult:
    """List and hash the outputs of ``job`` and write their manifests; return ``result`` with what went wrong.

    Nothing is written if an output is missing or unfit, or if ``stop`` is requested meanwhile.
    """
    if not job.outputs:
        return result
    missing = tuple(output.name for output in job.outputs if not os.path.exists(job.output_path(output)))
    if missing:
        wanted = ", ".join(
            f"{o.name!r} (expected at {job.output_path(o)!r})" for o in job.outputs if o.name in missing
        )
        error = f"The script ended without an error but did not write its output {wanted}"
        return replace(result, missing_outputs=missing, error=error)
    try:
        manifests = stop.finish(lambda: _manifests(job), patience=0.0)
    except NotFinished:
        return replace(result, stopped=stop.reason)
    except MlstepsException as error:
        return replace(result, error=error.message)
    written: list[str] = []
    try:
        for path, manifest in manifests.items():
            written.append(path)
            _write(path, manifest)
    except OSError as error:
        for path in written:
            with contextlib.suppress(OSError):
                os.unlink(path)
        return replace(result, error=f"Cannot write the manifest {written[-1]!r}: {error.strerror or error}")
    return result


def _manifests(job: Job) -> dict[str, Manifest]:
    # Hashing is imported only here: a script should not wait for it to start.
    from mlsteps.launcher.manifest import build_manifest

    manifests = {}
    for output in job.outputs:
        try:
            manifests[output.manifest_path] = build_manifest(job.output_path(output))
        except MlstepsException as error:
            raise MlstepsException(f"Output {output.name!r}: {error.message}") from error
    return manifests


def _write(path: str, manifest: Manifest) -> None:
    from mlsteps.launcher.manifest import write_manifest

    write_manifest(path, manifest)

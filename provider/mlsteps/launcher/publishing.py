"""Turns what a successful script wrote into manifests, and sends it where it belongs: all of it or none."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from mlsteps.exceptions import MlstepsException
from mlsteps.launcher.stopping import NotFinished

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlsteps.launcher.job import Job, OutputSpec
    from mlsteps.launcher.manifest import Manifest
    from mlsteps.launcher.result import JobResult
    from mlsteps.launcher.stopping import StopRequest

_MANIFEST_PATIENCE = 1.0  # seconds for manifests that are being sent when the job has to end


def publish(job: Job, result: JobResult, stop: StopRequest, say: Callable[[str], None]) -> JobResult:
    """List, hash and send the outputs of ``job``, then write their manifests; return how that went.

    No manifest is written if an output is missing or unfit, or if ``stop`` is requested meanwhile. Only while
    the manifests themselves are sent may one come to stand that the result knows nothing of; it is true then,
    because all files were sent before.
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
    cancelled = threading.Event()
    try:
        manifests = stop.finish(lambda: _manifests(job, cancelled, say), patience=0.0)
    except NotFinished:
        cancelled.set()
        return _given_up(result, stop)
    except MlstepsException as error:
        return replace(result, error=error.message)
    try:
        for path, manifest in manifests.items():
            _write(path, manifest)
        if any(output.manifest_upload for output in job.outputs):
            stop.finish(lambda: _send_manifests(job, cancelled), patience=_MANIFEST_PATIENCE)
    except NotFinished:
        cancelled.set()
        result = _given_up(result, stop)
    except MlstepsException as error:
        result = replace(result, error=error.message)
    except OSError as error:
        result = replace(result, error=f"Cannot write the manifest {path!r}: {error.strerror or error}")
    else:
        return result
    for path in manifests:
        with contextlib.suppress(OSError):
            os.unlink(path)
    return result


def _given_up(result: JobResult, stop: StopRequest) -> JobResult:
    return replace(result, stopped=stop.reason, timed_out=stop.reason is None)


def _manifests(job: Job, cancelled: threading.Event, say: Callable[[str], None]) -> dict[str, Manifest]:
    # Hashing is imported only here: a script should not wait for it to start.
    from mlsteps.launcher.manifest import build_manifest

    manifests = {}
    for output in job.outputs:
        try:
            if output.upload is None:
                manifest = build_manifest(job.output_path(output))
            else:
                manifest = _send(job, output, cancelled, say)
            manifests[output.manifest_path] = manifest
        except MlstepsException as error:
            raise MlstepsException(f"Output {output.name!r}: {error.message}") from error
    return manifests


def _send(job: Job, output: OutputSpec, cancelled: threading.Event, say: Callable[[str], None]) -> Manifest:
    from mlsteps.launcher.uploading import send_output
    from mlsteps.launcher.web import Web

    return send_output(output, job.output_path(output), Web(job.web, cancelled), say)


def _send_manifests(job: Job, cancelled: threading.Event) -> None:
    from mlsteps.launcher.uploading import send_manifest
    from mlsteps.launcher.web import Web

    web = Web(job.web, cancelled)
    for output in job.outputs:
        if output.manifest_upload is not None:
            send_manifest(output, web)


def _write(path: str, manifest: Manifest) -> None:
    from mlsteps.launcher.manifest import write_manifest

    write_manifest(path, manifest)

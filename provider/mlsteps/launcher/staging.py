"""Lays out what the script finds, where some of that has to be fetched from stores first."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from mlsteps.launcher import workplace
from mlsteps.launcher.fetching import fetch_file, fetch_inputs
from mlsteps.launcher.web import Web

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from mlsteps.launcher.job import Job


def stage(job: Job, cancelled: threading.Event, say: Callable[[str], None]) -> None:
    """Do what `workplace.prepare` does, with what has to be fetched.

    Raises what that and `fetching.fetch_inputs` raise.
    """
    web = Web(job.web, cancelled)
    local = job
    fetched: str | None = None
    if job.snapshot is not None and job.snapshot_is_remote:
        fetched = f"{job.working_directory.rstrip('/')}.snapshot.zip"
        os.makedirs(os.path.dirname(fetched), exist_ok=True)
        local = replace(job, snapshot=fetched)
    try:
        if fetched is not None:
            fetch_file(job.snapshot or "", fetched, web, "The snapshot")
        workplace.prepare(local)
    finally:
        if fetched is not None:
            with contextlib.suppress(OSError):
                os.unlink(fetched)
    if job.inputs:
        fetch_inputs(job.inputs, web, say)

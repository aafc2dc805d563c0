"""Triggerers of a standalone Airflow: finding them, to kill them, and starting another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlsteps.cli.standalone import StandaloneAirflow


def triggerers(airflow: StandaloneAirflow) -> list[int]:
    """The processes of an Airflow's triggerer."""
    mine = f"AIRFLOW_HOME={airflow.home}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes()
            if b"triggerer" in words and mine in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    assert found
    return found


@contextmanager
def another_triggerer(airflow: StandaloneAirflow) -> Iterator[None]:
    command = [sys.executable, "-m", "airflow", "triggerer", "--skip-serve-logs"]
    with airflow.log.open("ab") as log:
        process = subprocess.Popen(
            command, env=airflow._complete_environment(), stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

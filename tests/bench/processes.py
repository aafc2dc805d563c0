"""Runs probes in fresh processes, one after the other and in turns, and takes medians."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

_PROBE = Path(__file__).with_name("probe.py")


def probe(home: Path, *arguments: str) -> dict[str, Any]:
    """What ``probe.py`` finds in a process of its own, with an AIRFLOW_HOME of its own.

    :raises RuntimeError: it failed; the text is what it printed.
    """
    # An Airflow that is configured on this machine has no business in a measurement.
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW_", "_AIRFLOW_", "MLSTEPS_"))
    }
    environment |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "MLSTEPS_WORKSPACE": str(home / "workspace"),
    }
    done = subprocess.run(
        [sys.executable, str(_PROBE), *arguments], env=environment, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise RuntimeError(f"{_PROBE.name} {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def interleaved(
    repetitions: int,
    measurements: Mapping[str, Callable[[], dict[str, Any]]],
    tell: Callable[[str], None] = lambda text: None,
) -> dict[str, list[dict[str, Any]]]:
    """Each measurement so many times, in turns, so that a busy moment of the machine hits all of them.

    One more round goes first and is dropped: it compiles and warms the file cache.
    """
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in measurements}
    for number in range(repetitions + 1):
        for name, measure in measurements.items():
            tell(f"{name}, {number} of {repetitions}" if number else f"{name}, warming up")
            result = measure()
            if number:
                found[name].append(result)
    return found


def median_of(results: Iterable[Mapping[str, Any]], key: str) -> float:
    """The median of one value over all repetitions."""
    return statistics.median(result[key] for result in results)


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)

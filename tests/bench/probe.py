"""Measures one thing in a process of its own and prints it as JSON; started by ``processes.py``.

``probe.py imports CODE [CODE ...]``: seconds that each line of code takes, one after the other.
``probe.py dag FILE``: processor seconds that reading a DAG file and serializing its DAG take.
"""

from __future__ import annotations

import gc
import importlib
import json
import re
import sys
import time
from pathlib import Path
from typing import Any


def measure_imports(lines: list[str]) -> dict[str, Any]:
    """Seconds of each line."""
    seconds = []
    for line in lines:
        started = time.perf_counter()
        exec(line, {})
        seconds.append(time.perf_counter() - started)
    return {"seconds": seconds}


def measure_dag(file: str) -> dict[str, Any]:
    """Processor seconds for the file's imports, its DAG through a DagBag, and the DAG's serialization.

    As in Airflow's DAG processor: it imports Airflow's own modules that a file names and freezes what it has
    before it starts the process that reads the file.
    """
    for module in ("airflow.sdk", "airflow.providers.standard.operators.bash"):
        importlib.import_module(module)

    from mlsteps.compat import empty_dag_bag

    try:
        from airflow.serialization.serialized_objects import DagSerialization

        serialize = DagSerialization.serialize_dag
    except ImportError:  # 3.1
        from airflow.serialization.serialized_objects import SerializedDAG

        serialize = SerializedDAG.serialize_dag
    names = _names_from_mlsteps(Path(file).read_text())
    gc.collect()
    gc.freeze()

    started = time.process_time()
    for name in names:
        getattr(importlib.import_module("mlsteps"), name)
    imported = time.process_time()
    bag = empty_dag_bag(file)
    parsed = time.process_time()
    if bag.import_errors:
        raise SystemExit(str(bag.import_errors))
    (dag,) = bag.dags.values()
    serializing = time.process_time()
    serialize(dag)
    serialized = time.process_time()
    return {
        "imports": imported - started,
        "parse": parsed - imported,
        "serialize": serialized - serializing,
        "tasks": len(dag.tasks),
        "edges": sum(len(task.upstream_task_ids) for task in dag.tasks),
    }


def _names_from_mlsteps(text: str) -> list[str]:
    found = re.search(r"^from mlsteps import (.+)$", text, re.MULTILINE)
    return found[1].split(", ") if found else []


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    found = measure_imports(arguments) if what == "imports" else measure_dag(arguments[0])
    print("\n" + json.dumps(found))

"""Results of a chain that never ran, laid down with the keys that its steps would have recorded them under.

Running a thousand steps first would take a quarter of an hour and measure nothing. Called as a process of its
own: ``python -m bench.seeding DAG_FILE``, with Airflow's and the workspace's settings in the environment.
"""

from __future__ import annotations

import sys
from pathlib import Path


def seed(dag_file: Path) -> int:
    """Record a result for every step of a DAG file, each made of the results before it; returns how many."""
    from mlsteps.dag_files import load_dags
    from mlsteps.data import PortDataReference, Producer
    from mlsteps.launcher.manifest import build_manifest
    from mlsteps.reuse.entry import EntryOutput, Origin, ReuseEntry
    from mlsteps.reuse.history import History
    from mlsteps.reuse.store import ReuseStore
    from mlsteps.run.journal import utc_now
    from mlsteps.steps.base import is_step
    from mlsteps.steps.declaration import independent_copy
    from mlsteps.steps.keys import KeyMaker
    from mlsteps.steps.planning import in_order
    from mlsteps.steps.resolving import resolve

    (dag,) = load_dags(dag_file)
    keys, made = KeyMaker(), {}
    steps = [task for task in in_order(dag) if is_step(task)]
    workspace = steps[0].effective_workspace()
    store = workspace.record_store()
    for step in steps:
        filled = independent_copy(step)
        upstream = {
            port: made[next(iter(arg.iter_references()))[0].task_id]
            for port, arg in step.upstream_outputs.items()
        }
        keyed = keys.key_of(resolve(filled, workspace, {}, upstream))
        (port,) = step.output_ports
        path = f"azureml/seeded.{step.task_id}/{port.name}"
        store.write(path, f"made by {step.task_id}".encode())
        manifest = build_manifest(store.local_path(path))
        producer = Producer(dag.dag_id, "seeded", step.task_id, -1, 1)
        reference = PortDataReference.of_manifest(
            port.name, workspace.locator, workspace.default_datastore_name(), path, manifest, producer
        )
        made[step.task_id] = reference
        origin = Origin(dag.dag_id, "seeded", step.task_id, -1, 1, "seeded", step.name, "seeded", "", "")
        entry = ReuseEntry(
            fingerprint=keyed.key.fingerprint,
            key=keyed.key.to_plain(),
            outputs={port.name: EntryOutput(reference.serialize(), manifest)},
            origin=origin,
            created=utc_now(),
            seconds=1.0,
        )
        ReuseStore(store).record(entry)
        History(store).remember(dag.dag_id, step.task_id, entry.fingerprint)
    return len(steps)


if __name__ == "__main__":
    print(seed(Path(sys.argv[1])))

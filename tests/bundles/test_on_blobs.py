"""The DAG bundle of a workspace in blob storage: fetched to this machine, and in time."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlsteps import Pipeline, PipelineData, PythonScriptStep, Workspace
from mlsteps.bundles import WorkspaceDagBundle
from mlsteps.cli.azurite import Azurite
from mlsteps.compat import empty_dag_bag
from mlsteps.publishing import publish
from servers.azurite import azurite

__all__ = ["azurite"]


@pytest.mark.slow
def test_a_hundred_pipelines_in_blob_storage(
    azurite: Azurite, run_dag: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"connection_string": azurite.connection_string}
    monkeypatch.setenv("AIRFLOW_CONN_BLOBS", json.dumps({"conn_type": "wasb", "extra": extra}))
    monkeypatch.setenv("MLSTEPS_WORKSPACE", str(tmp_path / "ws"))
    (tmp_path / "ws").mkdir()
    (tmp_path / "ws" / "workspace.yaml").write_text(
        "datastores:\n  workspaceblobstore: {type: azure_blob, container: published, conn_id: blobs, "
        "create_if_not_exists: true}\n"
    )
    source = tmp_path / "src"
    source.mkdir()
    (source / "a.py").write_text("print('ran')")
    steps: list[PythonScriptStep] = []
    made: list[PipelineData] = []
    for number in range(20):
        data = PipelineData(f"d{number}")
        steps.append(
            PythonScriptStep("a.py", f"s{number}", source_directory=source, inputs=made[-1:], outputs=[data])
        )
        made.append(data)
    definition = Pipeline(Workspace(), steps).definition()
    for number in range(99):
        publish(Workspace(), definition, f"p{number}", None, None, None)
    last = Pipeline(Workspace(), [PythonScriptStep("a.py", source_directory=source)]).publish("last")
    shutil.rmtree(source)

    def bundle(machine: str, version: str | None = None) -> WorkspaceDagBundle:
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path / machine))
        return WorkspaceDagBundle(name="ml", version=version)

    processor, started = bundle("processor"), time.perf_counter()
    processor.refresh()
    first, started = time.perf_counter() - started, time.perf_counter()
    processor.refresh()
    again = time.perf_counter() - started
    print(f"refresh {first:.2f} s, without a change {again:.3f} s")
    assert first < 10
    assert again < 1
    current = processor.get_current_version()
    worker = bundle("worker", str(getattr(current, "version", current)))
    worker.initialize()
    bag = empty_dag_bag(str(worker.path))
    assert (len(bag.dags), bag.import_errors) == (100, {})
    shutil.rmtree(tmp_path / "ws" / "snapshots", ignore_errors=True)  # as it is on another machine
    dag = bag.dags["published.last"]
    assert last.id in dag.doc_md
    done = run_dag(dag)
    assert {str(ti.state) for ti in done.get_task_instances()} == {"success"}
    kept = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert not any(azurite.connection_string.encode() in file.read_bytes() for file in kept)

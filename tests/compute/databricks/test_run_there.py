"""``Run.get_context()`` of code on Databricks: what it logs and uploads is in the step's outcome."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compute.databricks.there import CLUSTER, LONG, There, eventually
from mlsteps.compute import JobSuspended
from mlsteps.compute.databricks.task import DatabricksTask
from mlsteps.data.stores import FolderStore
from mlsteps.run.context import ParentContext
from mlsteps.run.metrics import aggregate
from mlsteps.run.protocol import PARENT, SELF

LOGS = """
from mlsteps.run import Run
run = Run.get_context()
assert run is Run.get_context() and not run.id.startswith("OfflineRun")
run.log("rows", 42)
run.tag("kind", run.parent.id)
run.parent.log("best", float("inf"))
with open("model.bin", "wb") as file:
    file.write(bytes(range(256)))
run.upload_file("models/m.bin", "model.bin")
model = run.register_model("churn", "models/m.bin")
with run.child_run("part") as child:
    child.log("x", 1)
print(run.experiment.name, run.output_datasets["made"] if "made" in run.output_datasets else "")
"""
LINE = "import sys; sys.path.append(dbutils.widgets.get('mlsteps_path'))\n"
PATH = "import sys; sys.path.append(sys.argv[sys.argv.index('--mlsteps_path') + 1])\n"


def context(there: There) -> dict[str, Any]:
    return {**there.bench.job("").context, "parent": ParentContext("whole")}


def logged(there: There, task: DatabricksTask, **changes: Any) -> None:
    """The code logs what it should, and all of it arrives."""
    outcome = there.run(task, context=context(there), **changes)
    assert outcome.error is None, there.bench.lines
    assert aggregate(outcome.events, SELF) == {"rows": 42}  # type: ignore[arg-type]
    assert aggregate(outcome.events, PARENT) == {"best": float("inf")}  # type: ignore[arg-type]
    assert {"kind": "whole"} in [event.get("tags") for event in outcome.events]
    assert "churn" in [event.get("name") for event in outcome.events if event["event"] == "model"]
    assert there.bench.kept["files/models/m.bin"] == bytes(range(256))
    # All of it is kept elsewhere now.
    assert not [info.path for info in there.bench.store.list("azureml") if "mlsteps-run" in info.path]


def test_a_notebook_needs_one_line(there: There) -> None:
    logged(there, there.notebook(LINE + LOGS))


@pytest.mark.parametrize("path", ["/Shared/s.py", "dbfs:/s.py", "/Volumes/a/b/c/s.py"])
def test_a_script_that_lies_there_needs_one_line(there: There, path: str) -> None:
    there.double.files.put(path, PATH + LOGS)
    logged(there, DatabricksTask("S", "script", path, CLUSTER))
    assert there.bench.kept["stdout.log"].decode().startswith("x")


@pytest.mark.parametrize("upload_to", ["/Shared/mlsteps", "dbfs:/mlsteps", "/Volumes/a/b/c/d"])
def test_an_uploaded_script_needs_nothing(there: There, upload_to: str) -> None:
    below = there.bench.root / "src" / "below"
    below.mkdir(parents=True)
    (below / "main.py").write_text(LOGS)
    task = DatabricksTask("S", "uploaded", "below/main.py", CLUSTER)
    logged(there, task, settings={"upload_to": upload_to})
    (code,) = (task["spark_python_task"] for task in there.double.submitted[0]["tasks"])
    assert "--mlsteps_run" in code["parameters"] and "--mlsteps_path" not in code["parameters"]
    requests = len(there.double.requests)
    logged(there, task, settings={"upload_to": upload_to}, id="job.2")
    later = there.double.requests[requests:]
    assert not {"import", "mkdirs", "create"} & {path.rpartition("/")[2] for _, path, _ in later}
    assert "PUT" not in {method for method, _, _ in later}


def test_a_cluster_that_does_not_reach_the_upload_says_so(there: There) -> None:
    task = DatabricksTask("S", "uploaded", "main.py", CLUSTER)
    lost = "import sys; sys.path_hooks.pop(0); sys.path_importer_cache.clear()\n"
    outcome = there.run(task, script=lost + LOGS)
    assert outcome.error is not None and "does not reach what mlsteps has uploaded" in outcome.error


def test_an_uploaded_script_with_such_a_folder_of_its_own_keeps_it(there: There) -> None:
    own = there.bench.root / "src" / "mlsteps"
    own.mkdir(parents=True)
    (own / "__init__.py").write_text("word = 'mine'")
    script = "import mlsteps; print(mlsteps.word)"
    assert there.run(DatabricksTask("S", "uploaded", "main.py", CLUSTER), script=script).error is None
    assert there.printed("stdout") == ["mine"]


def test_data_by_the_clusters_own_urls(there: There) -> None:
    """Where the storage is no folder of the cluster, Spark's drivers read and write."""
    url = "abfss://c@account.dfs.core.windows.net"
    there.double.files.mounts[url] = there.folder
    logged(there, there.notebook(LINE + LOGS), settings={"places": {there.folder: url}})
    widgets = there.double.submitted[0]["tasks"][0]["notebook_task"]["base_parameters"]
    assert widgets["mlsteps_run"] == f"{url}/azureml/job.1/mlsteps-run/run"


def test_inputs_and_outputs_are_named_by_what_the_cluster_calls_them(there: There) -> None:
    there.bench.put("in.txt", "abc")
    copy = """
run = __import__("mlsteps.run").run.Run.get_context()
open(run.output_datasets["made"], "w").write(open(run.input_datasets["raw"]).read())
"""
    outcome = there.run(
        there.notebook(LINE + copy),
        inputs=(there.bench.reads("raw", "in.txt"),),
        outputs=(there.bench.writes("made", "out.txt"),),
    )
    assert outcome.error is None, there.bench.lines
    assert there.bench.store.read("out.txt") == b"abc"


def test_what_is_logged_is_seen_while_a_worker_stays(there: There, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlsteps.compute.staged.event_tail._SECONDS", 0.02)
    text = LINE + "from mlsteps.run import Run\nRun.get_context().log('early', 1)\n" + LONG

    def stop_when_seen(events: Any) -> None:
        there.bench.events.extend(events)
        there.bench.watcher.stop()

    there.bench.watcher.on_events = stop_when_seen
    outcome = there.run(there.notebook(text))
    assert outcome.error is not None and "stopped" in outcome.error
    assert aggregate(there.bench.events, SELF) == {"early": 1}
    assert aggregate(outcome.events, SELF) == {"early": 1}  # type: ignore[arg-type]


def test_what_failing_code_has_logged_is_kept(there: There) -> None:
    text = LINE + "from mlsteps.run import Run\nRun.get_context().log('rows', 1)\nraise KeyError('x')"
    outcome = there.run(there.notebook(text))
    assert outcome.error is not None
    assert aggregate(outcome.events, SELF) == {"rows": 1}  # type: ignore[arg-type]
    assert b"KeyError" in there.bench.kept["stderr.log"]


def test_a_run_for_which_no_worker_waits_is_read_when_one_comes_back(there: There) -> None:
    task, settings = there.notebook(LINE + LOGS), {"deferrable": True}
    there.double.start_seconds = 0.2
    with pytest.raises(JobSuspended):
        there.run(task, settings=settings, context=context(there))
    eventually(lambda: there.ended(101))
    logged(there, task, settings=settings, resumed=True)
    assert len(there.double.submitted) == 1


def test_names_that_lead_elsewhere_are_not_kept(there: There) -> None:
    lie = "name='../../x', path='../../../../secret', size=1"
    text = f"{LINE}from mlsteps.run import Run; Run.get_context()._record('upload', {lie})"
    there.bench.put("secret", "s")
    assert there.run(there.notebook(text)).error is None
    assert not any(name.rpartition("/")[2] == "x" for name in there.bench.kept)
    assert any("not kept" in line for line in there.printed("mlsteps"))


def test_without_the_right_to_upload_code_runs_all_the_same(there: There) -> None:
    there.double.forbidden = {"2.0/workspace/import", "2.0/workspace/mkdirs"}
    assert there.run(there.notebook("")).error is None
    assert any("PERMISSION_DENIED" in line for line in there.printed("databricks"))
    widgets = there.double.submitted[0]["tasks"][0]["notebook_task"]["base_parameters"]
    assert "mlsteps_path" not in widgets and "mlsteps_run" not in widgets


@pytest.mark.parametrize(("path", "place"), [("azureml/job.1", "mlsteps/databricks/job.1/run"), ("", None)])
def test_the_runs_folder_is_no_part_of_an_output(there: There, path: str, place: str | None) -> None:
    text = "open(dbutils.widgets.get('made') + '/t', 'w').close()"
    outputs = (there.bench.writes("made", path, create_directory=True),)
    (there.bench.store.local_path(path) or Path()).mkdir(parents=True, exist_ok=True)
    outcome = there.run(there.notebook(text), outputs=outputs)
    assert outcome.error is None, there.bench.lines
    assert path == "" or [file.path for file in outcome.manifests["made"].files] == ["t"]
    widgets = there.double.submitted[0]["tasks"][0]["notebook_task"]["base_parameters"]
    assert widgets.get("mlsteps_run") == (f"{there.folder}/{place}" if place else None)


def test_where_the_worker_may_not_write_code_runs_all_the_same(
    there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = FolderStore.write

    def refuse(self: FolderStore, path: str, *given: Any, **more: Any) -> None:
        if "mlsteps-run" in path:
            raise PermissionError(f"{path} is not yours")
        write(self, path, *given, **more)

    monkeypatch.setattr(FolderStore, "write", refuse)
    assert there.run(there.notebook("")).error is None
    assert any("is not yours" in line for line in there.printed("databricks"))


def test_where_no_store_is_reached_code_runs_all_the_same(there: There) -> None:
    assert there.run(there.notebook(""), settings={"places": {}}).error is None
    assert any("cannot be reached from Databricks" in line for line in there.printed("databricks"))

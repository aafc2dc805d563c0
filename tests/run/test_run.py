from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from mlsteps.exceptions import RunEnvironmentException, UserErrorException, WorkspaceException
from mlsteps.run import Run, _OfflineRun, get_run
from mlsteps.run.context import WorkspaceReference
from mlsteps.run.lifecycle import declared_end
from mlsteps.run.protocol import RUN_DIRECTORY_VARIABLE, Event

Read = Callable[..., list[Event]]


def test_one_run_in_a_process(run: Run) -> None:
    assert Run.get_context() is run
    assert Run.get_context(allow_offline=False) is run
    assert Run.get_submitted_run() is run
    assert not isinstance(run, _OfflineRun)


def test_no_context(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(RunEnvironmentException, match="not started by mlsteps"):
        Run.get_context(allow_offline=False)
    Run.get_context()
    with pytest.raises(RunEnvironmentException):
        Run.get_context(allow_offline=False)
    monkeypatch.setenv(RUN_DIRECTORY_VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(RunEnvironmentException, match="cannot be read"):
        Run.get_context()


def test_who_the_run_is(run: Run) -> None:
    parent = run.parent
    assert (run.id, run.name, run.number, run.type) == ("pipe/2026:train", "train", 2, "azureml.StepRun")
    assert parent is not None
    assert (parent.id, parent.number, parent.type) == ("pipe/2026", None, "azureml.PipelineRun")
    assert parent.parent is None
    assert parent.experiment is run.experiment
    assert run.parent is parent
    assert run != parent
    assert "train" in repr(run)


def test_without_a_parent(launched: Callable[..., Run]) -> None:
    assert launched(parent=None).parent is None


def test_datasets(run: Run) -> None:
    assert run.input_datasets["raw"] == "/data/raw"
    assert run.input_datasets["table"] == "/data/table.csv"
    assert dict(run.output_datasets) == {"model": "/out/model"}
    assert run.input_datasets.get("absent") is None
    with pytest.raises(KeyError, match="'absent': there are raw, table"):
        run.input_datasets["absent"]
    with pytest.raises(AttributeError, match=r"to_pandas_dataframe.*'/data/table.csv'"):
        run.input_datasets["table"].to_pandas_dataframe()  # type: ignore[attr-defined]
    assert run.parent is not None
    with pytest.raises(KeyError, match="only the step's own run"):
        run.parent.input_datasets["raw"]


def test_details(run: Run) -> None:
    details = run.get_details()
    assert details["runId"] == run.id
    assert details["status"] == "Running"
    assert details["runDefinition"] == {"parameters": {"lr": 0.1}}
    assert details["inputDatasets"][0] == {"inputName": "raw", "pathOnCompute": "/data/raw"}
    assert run.wait_for_completion(show_output=True) == details


def test_portal_url(launched: Callable[..., Run]) -> None:
    assert launched(properties={"mlsteps.portal_url": "http://a/b"}).get_portal_url() == "http://a/b"


def test_complete_fail_cancel(run: Run, journal: Read) -> None:
    run.start()
    run.flush()
    assert run.get_status() == "Running"
    run.complete()
    assert run.status == "Completed"
    run.cancel()
    assert run.status == "Canceled"
    run.fail("no data", error_code="E7")
    run.complete()
    assert run.status == "Failed"
    end = declared_end(journal())
    assert end is not None
    assert (end.details, end.code) == ("no data", "E7")


def test_canceling_the_pipeline_is_asked_of_the_launcher(run: Run, journal: Read) -> None:
    assert run.parent is not None
    run.parent.cancel()
    (event,) = journal()
    assert (event["event"], event["target"]) == ("cancel", "parent")
    assert (run.parent.status, run.status) == ("CancelRequested", "Running")
    assert run.get_portal_url() is None


def test_context_manager(run: Run, journal: Read) -> None:
    with run.child_run("good") as good, pytest.raises(ValueError, match="why"), run.child_run("bad") as bad:
        raise ValueError("why")
    with pytest.raises(SystemExit), run.child_run("left") as left:
        sys.exit(0)
    assert (good.status, bad.status, left.status, run.status) == (
        "Completed",
        "Failed",
        "Completed",
        "Running",
    )
    end = declared_end(journal(), bad.id)
    assert end is not None
    assert end.details is not None
    assert "Traceback" in end.details
    assert end.details.endswith("ValueError: why")


def test_children(run: Run) -> None:
    first = run.child_run("fold 1")
    second = run.child_run(run_id="own/id")
    grandchild = first.child_run()
    first.log("auc", 0.5)
    grandchild.log("auc", 0.6)
    run.log("auc", 0.7)
    second.tag("best")
    second.upload_file("x", __file__)
    assert (first.name, first.parent, first.type, first.number) == ("fold 1", run, "azureml.scriptrun", None)
    assert (second.id, second.name, second.get_file_names(), run.get_file_names()) == (
        "own/id",
        "own/id",
        ["x"],
        [],
    )
    assert list(run.get_children()) == [second, first]
    assert list(run.get_children(recursive=True)) == [second, grandchild, first]
    assert list(run.get_children(tags="best")) == list(run.get_children(tags={"best": None})) == [second]
    assert list(run.get_children(tags={"best": "x"})) == list(run.get_children(properties="p")) == []
    assert list(run.get_children(type="other")) == list(run.get_children(status="Failed")) == []
    everything = {first.id: {"auc": 0.5}, grandchild.id: {"auc": 0.6}, run.id: {"auc": 0.7}}
    assert run.get_metrics(recursive=True) == everything
    assert run.get_metrics("auc", recursive=True, run_type="azureml.StepRun") == {run.id: {"auc": 0.7}}
    for taken in ("own/id", "self", "parent", run.id):
        with pytest.raises(UserErrorException, match="exists already"):
            run.child_run(run_id=taken)


def test_create_children(run: Run) -> None:
    assert [child.tags for child in run.create_children(2)] == [
        {"azureml.batch_child_number": n} for n in "01"
    ]
    assert [child.tags for child in run.create_children(tag_key="lr", tag_values=[0.1])] == [{"lr": "0.1"}]
    assert run.create_children(0) == []
    for wrong in ({}, {"count": 1, "tag_key": "a"}, {"tag_key": "a"}, {"tag_values": [1]}, {"count": 101}):
        with pytest.raises(UserErrorException):
            run.create_children(**wrong)


class FakeWorkspace:
    def __init__(self, locator: str = "config") -> None:
        self.locator = locator
        self.experiments = {"churn": SimpleNamespace(get_runs=lambda **given: given)}

    @classmethod
    def from_locator(cls, locator: str) -> FakeWorkspace:
        return cls(locator)

    @classmethod
    def from_config(cls) -> FakeWorkspace:
        return cls()

    def get_run(self, run_id: str) -> Any:
        return SimpleNamespace(id=run_id, get_children=lambda recursive=False: iter([recursive]))


@pytest.fixture
def full_package(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("mlsteps.workspace")
    module.Workspace = FakeWorkspace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlsteps.workspace", module)


def test_the_workspace(launched: Callable[..., Run], full_package: None) -> None:
    run = launched(workspace=WorkspaceReference("home", "file:///ws"))
    workspace: Any = run.experiment.workspace
    assert workspace.locator == "file:///ws"
    assert run.experiment.workspace_object is workspace
    assert run.experiment.name == "churn"
    assert run.experiment.get_runs(tags="x") == {"tags": "x"}
    assert run.parent is not None
    assert list(run.parent.get_children(recursive=True)) == [True]
    for other in (get_run(run.experiment, "r1"), Run(run.experiment, "r1"), Run.get(workspace, "r1")):
        assert other.id == "r1"
    assert Run.list(run.experiment) == {}
    with pytest.raises(AttributeError, match="'submit'"):
        run.experiment.submit()  # type: ignore[attr-defined]


def test_the_workspace_out_of_reach(launched: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    run = launched(workspace=WorkspaceReference("home", "file:///ws"))
    monkeypatch.setitem(sys.modules, "mlsteps.workspace", None)
    with pytest.raises(WorkspaceException, match="full package, which is not installed"):
        _ = run.experiment.workspace


def test_the_workspace_without_a_locator(run: Run) -> None:
    with pytest.raises(WorkspaceException, match="'home' cannot be reached"):
        _ = run.experiment.workspace


def test_the_offline_workspace(full_package: None) -> None:
    workspace: Any = Run.get_context().experiment.workspace
    assert workspace.locator == "config"


def test_run_needs_to_be_asked_for() -> None:
    with pytest.raises(TypeError, match="get_context"):
        Run()


def test_what_is_not_there(run: Run) -> None:
    with pytest.raises(AttributeError, match="'submit_child': use child_run"):
        run.submit_child()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"no attribute 'nonsense'$"):
        run.nonsense  # type: ignore[attr-defined]  # noqa: B018
    assert not hasattr(run, "get_environment")
    with pytest.raises(NotImplementedError, match=r"'key'.*environment variable"):
        run.get_secret("key")
    with pytest.raises(NotImplementedError, match="'a, b'"):
        run.get_secrets(["a", "b"])


def test_pickled(run: Run) -> None:
    child = run.child_run("c")
    for original in (run, child, run.parent):
        assert original is not None
        copy = pickle.loads(pickle.dumps(original))
        copy.log("x", 1)
        assert copy == original
        assert original.get_metrics("x") == {"x": 1}


WORKERS = """
import multiprocessing
import sys

from mlsteps.run import Run


def log(number):
    Run.get_context().log("n", number)


if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        pool.map(log, range(10))
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_log_to_the_same_run(run: Run, method: str, tmp_path: Path) -> None:
    # In a process of its own: other tests leave threads in this one, which a fork does not survive.
    script = tmp_path / "workers.py"
    script.write_text(WORKERS)
    subprocess.run([sys.executable, str(script), method], check=True, timeout=120)
    assert sorted(run.get_metrics()["n"]) == list(range(10))

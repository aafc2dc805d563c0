"""A transfer for which no worker waits, in a DAG that really runs; the service is Azurite behind a proxy."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from data.transfer.stores import TwoAccounts, content
from mlsteps import Datastore, DataTransferStep, Pipeline
from mlsteps.exceptions import MlstepsException
from mlsteps.launcher.digest import CHUNK_SIZE
from mlsteps.local_airflow import FinishedRun
from mlsteps.reuse import layout
from mlsteps.triggers import copies
from servers.azurite import free_container
from servers.faults import Fault, FaultyProxy
from steps.project import Project, states

LARGE = content(2 * CHUNK_SIZE + 1)


class SlowService:
    """Two accounts, whose copies take a while: so many looks at a blob."""

    def __init__(self) -> None:
        self.looks = 0
        self.seen: list[dict[str, object]] = []
        self.project: Project | None = None

    def hold(self, number: int, line: str) -> Fault | None:
        if line.startswith("HEAD") and ".02-" in line and self.looks > 0:
            self.looks -= 1
            self._look_at_the_record()
            return "copy goes on"
        return None

    def _look_at_the_record(self) -> None:
        assert self.project is not None
        store = self.project.workspace.record_store()
        for path in [info.path for info in store.list("mlsteps/runs") if info.path.endswith("step.json")]:
            self.seen.append(json.loads(store.read(path)))
        self.claims = [name for name in store.list_names(layout.CLAIMS) if name.endswith(".beat")]
        self.signs = [store.read(f"{layout.CLAIMS}/{name}").decode() for name in self.claims]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoAccounts]:
    try:
        with TwoAccounts(tmp_path_factory.mktemp("azurite")) as azurite:
            yield azurite
    except MlstepsException as error:
        pytest.skip(str(error))


@pytest.fixture
def slow(project: Project, running: TwoAccounts, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowService]:
    monkeypatch.setattr("mlsteps.data.stores.azure_copy.ONE_REQUEST", CHUNK_SIZE)
    monkeypatch.setattr("mlsteps.data.transfer.one_file.ONE_REQUEST", CHUNK_SIZE)
    monkeypatch.setattr(copies, "_SHORTEST", 0.3)
    service = SlowService()
    service.project = project
    with FaultyProxy(running.url, service.hold) as proxy:
        for name, text in (("HERE", running.connection_string), ("THERE", running.other)):
            connection = {"conn_type": "wasb", "extra": {"connection_string": proxy.through(text)}}
            monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))
        container = free_container()
        stores = (
            f"  {name}: {{type: azure_blob, conn_id: {name}, container: {container}, "
            "create_if_not_exists: true}\n"
            for name in ("here", "there")
        )
        (project.folder / "workspace.yaml").write_text("datastores:\n" + "".join(stores))
        Datastore(project.workspace, "here").store.write("data/large", LARGE)
        yield service


def run(project: Project, **arguments: object) -> FinishedRun:
    here, there = (Datastore(project.workspace, name) for name in ("here", "there"))
    step = DataTransferStep("copy", here.path("data"), there.path("copied"), **arguments)  # type: ignore[arg-type]
    return project.run(Pipeline(project.workspace, steps=[step]).to_dag("moving"))


def test_the_step_goes_on_when_azure_has_copied_and_its_result_is_reused(
    project: Project, slow: SlowService, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow.looks = 4
    finished = run(project, deferrable=True)
    assert not finished.failed, finished
    assert slow.looks == 0
    there = Datastore(project.workspace, "there").store
    assert there.read("copied/large") == LARGE
    assert [info.path for info in there.list()] == ["copied/large"]

    # While the copy went on the record said so, and named no process that could be taken for dead.
    waiting = slow.seen[-1]
    assert waiting["state"] == "running"
    assert waiting["where"]["waits"] == "The storage service is making 1 copies."  # type: ignore[index]
    assert "pid" not in waiting["where"]  # type: ignore[operator]
    assert slow.signs and all(sign.startswith("elsewhere-") for sign in slow.signs)

    record = project.record(finished, "copy")
    assert record.state == "ran"
    assert record.reason == waiting["reason"]
    assert record.started == waiting["started"]
    assert "pid" in record.where
    assert project.workspace.record_store().list_names(layout.CLAIMS) == []

    assert states(run(project, deferrable=True))["copy"] == "skipped"


def test_without_deferring_the_worker_waits(project: Project, slow: SlowService) -> None:
    finished = run(project, deferrable=False)
    assert not finished.failed
    assert slow.seen == []
    assert Datastore(project.workspace, "there").store.read("copied/large") == LARGE


def test_a_run_that_is_canceled_while_azure_copies_does_not_go_on(
    project: Project, slow: SlowService, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlsteps.records import cancel_run
    from mlsteps.triggers.claimed import ClaimedTrigger

    waits = ClaimedTrigger._waiting

    def cancel(self: ClaimedTrigger) -> object:
        record = slow.seen[-1]
        cancel_run(project.workspace.record_store(), str(record["dag_id"]), str(record["run_id"]), "by me")
        return waits(self)

    monkeypatch.setattr(ClaimedTrigger, "_waiting", cancel)
    slow.looks = 2
    finished = run(project, deferrable=True)
    record = project.record(finished, "copy")
    assert (record.state, record.reason) == ("canceled", "The run was canceled: by me")
    assert Datastore(project.workspace, "there").store.stat("copied/large") is None
    assert project.workspace.record_store().list_names(layout.CLAIMS) == []

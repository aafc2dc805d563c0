"""Workspaces: which one is meant, that nothing is read too early, and what is known by name."""

from __future__ import annotations

import builtins
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from mlsteps import Datastore, LocalCompute, Workspace
from mlsteps.exceptions import ComputeTargetException, WorkspaceException


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No workspace but the embedded one."""
    monkeypatch.delenv("MLSTEPS_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)


def yaml(folder: Path, text: str = "name: from-file\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "workspace.yaml").write_text(text)
    return folder / "workspace.yaml"


# Lazy


def test_making_one_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = yaml(tmp_path / "ws", "broken: [")

    def refuse(*arguments: Any, **_: Any) -> Any:
        raise AssertionError(arguments)

    with monkeypatch.context() as patched:
        for module, name in ((builtins, "open"), (os, "listdir"), (os, "stat")):
            patched.setattr(module, name, refuse)
        made = [
            Workspace(),
            Workspace("subscription", "group", "name"),
            Workspace(folder=tmp_path / "ws"),
            Workspace(conn_id="none"),
            Workspace.get("name", subscription_id="s", resource_group="g"),
        ]
        for workspace in made:
            Datastore(workspace, "raw").path("x")
            workspace.get_default_datastore().path("y")
            repr(workspace)
    with pytest.raises(WorkspaceException, match=str(file)):
        made[2].get_default_datastore().store  # noqa: B018


def test_its_configuration_is_read_once(tmp_path: Path) -> None:
    file = yaml(tmp_path / "ws")
    workspace = Workspace(folder=tmp_path / "ws")
    assert workspace.name == "from-file"
    file.unlink()
    assert workspace.name == "from-file"


# Which one


def test_the_default_is_a_folder_below_airflow_home(airflow_home: Path) -> None:
    workspace = Workspace()
    assert workspace.config.folder == airflow_home / "mlsteps"
    assert workspace.config.source == "the embedded workspace"
    assert workspace.location == str(airflow_home / "mlsteps/workspaceblobstore")


def test_a_configured_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__MLSTEPS__HOME", "$SOMEWHERE/ws")
    monkeypatch.setenv("SOMEWHERE", str(tmp_path / "else"))
    assert Workspace().config.folder == tmp_path / "else/ws"


def test_the_environment_beats_airflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MLSTEPS_DEFAULT", json.dumps({"conn_type": "mlsteps"}))
    file = yaml(tmp_path / "ws")
    for named in (str(file), str(tmp_path / "ws"), "ws", "ws/workspace.yaml"):
        monkeypatch.setenv("MLSTEPS_WORKSPACE", named)
        assert Workspace().name == "from-file"
        assert Workspace().known_without_lookup()
    monkeypatch.setenv("MLSTEPS_WORKSPACE", "plain")
    assert Workspace().config.folder == tmp_path / "plain"
    monkeypatch.setenv("MLSTEPS_WORKSPACE", "missing.yaml")
    with pytest.raises(WorkspaceException, match=r"missing\.yaml: there is no such file"):
        Workspace().config  # noqa: B018


def test_the_environment_does_not_beat_what_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSTEPS_WORKSPACE", str(yaml(tmp_path / "ws")))
    assert Workspace(folder=tmp_path / "mine").name == "mine"
    with pytest.raises(WorkspaceException, match="no connection 'none'"):
        Workspace(conn_id="none").config  # noqa: B018


def test_two_places_are_refused() -> None:
    with pytest.raises(WorkspaceException, match="conn_id or folder, not both"):
        Workspace(conn_id="a", folder="b")


def test_from_config_finds_the_file_here_or_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = yaml(tmp_path / "project")
    (tmp_path / "project/dags/deep").mkdir(parents=True)
    for path in (file, file.parent, str(tmp_path / "project/dags/deep")):
        assert Workspace.from_config(path).name == "from-file"
    monkeypatch.chdir(tmp_path / "project/dags")
    assert Workspace.from_config().name == "from-file"
    monkeypatch.chdir(tmp_path)
    assert Workspace.from_config().locator == "default"


@pytest.mark.parametrize("path", ["none", "none/workspace.yaml", "project/none"])
def test_from_config_refuses_what_does_not_exist(tmp_path: Path, path: str) -> None:
    yaml(tmp_path / "project")
    with pytest.raises(WorkspaceException, match=f"'{path}' does not exist"):
        Workspace.from_config(path)


def test_from_config_takes_sdk_v1_s_file_for_the_default_workspace(tmp_path: Path) -> None:
    (tmp_path / ".azureml").mkdir()
    file = tmp_path / ".azureml/config.json"
    file.write_text('{"subscription_id": "s", "resource_group": "g", "workspace_name": "old"}')
    for workspace in (
        Workspace.from_config(path=file),
        Workspace.from_config(tmp_path / ".azureml", _file_name="config.json"),
    ):
        assert (workspace.locator, workspace.name) == ("default", "old")
        assert (workspace.subscription_id, workspace.resource_group) == ("s", "g")


# Identity


def test_it_is_the_place_that_makes_two_the_same(tmp_path: Path) -> None:
    one = Workspace(folder=tmp_path / "ws")
    assert one == Workspace(folder=str(tmp_path / "ws")) == Workspace(folder="ws")
    assert one != Workspace(folder=tmp_path / "other") and one != "ws"
    assert len({one, Workspace(folder="ws"), Workspace(), Workspace(conn_id="a")}) == 3
    assert Workspace.from_locator(one.locator) == one


def test_it_can_be_sent_to_another_process(tmp_path: Path) -> None:
    yaml(tmp_path / "ws")
    workspace = Workspace(folder=tmp_path / "ws")
    assert pickle.loads(pickle.dumps(workspace)).name == workspace.name == "from-file"


def test_a_locator_for_scripts_opens_the_same_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = yaml(tmp_path / "ws", "datastores: {raw: raw}")
    workspaces = [Workspace(), Workspace(folder=tmp_path / "ws"), Workspace.from_config(file)]
    for workspace in workspaces:
        locator = workspace.portable_locator()
        assert locator is not None and locator.startswith("folder:")
        assert Workspace.from_locator(locator).config.datastores == workspace.config.datastores
    monkeypatch.setenv("MLSTEPS_WORKSPACE", "ws/workspace.yaml")
    locator = Workspace().portable_locator()
    assert locator is not None
    monkeypatch.delenv("MLSTEPS_WORKSPACE")
    assert "raw" in Workspace.from_locator(locator).config.datastores


def test_there_is_no_locator_for_scripts_where_it_takes_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WS", json.dumps({"conn_type": "mlsteps"}))
    assert Workspace(conn_id="ws").portable_locator() is None
    assert not Workspace(conn_id="ws").known_without_lookup()


def test_labels(tmp_path: Path) -> None:
    workspace = Workspace("s", "g", "my-ws", tags={"a": "b"}, folder=tmp_path)
    assert (workspace.name, workspace.subscription_id, workspace.resource_group) == ("my-ws", "s", "g")
    assert workspace.tags == {"a": "b"}
    assert Workspace.get("other").name == "other"


# Names


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    yaml(
        tmp_path / "ws",
        """
        datastores: {raw: raw}
        compute_targets: {big: {type: local}, odd: {type: quantum}, wrong: {type: local, colour: red}}
        default_compute_target: big
        """,
    )
    return Workspace(folder=tmp_path / "ws")


def test_datastores_by_name(workspace: Workspace, tmp_path: Path) -> None:
    assert set(workspace.datastores) == {"raw", "workspaceblobstore", "workspacefilestore"}
    assert len(workspace.datastores) == 3 and "raw" in workspace.datastores
    assert workspace.datastores["raw"].store.url("") == str(tmp_path / "ws/raw")
    assert "none" not in workspace.datastores
    with pytest.raises(KeyError, match="no datastore is called 'none'; there is raw, workspaceblobstore"):
        workspace.datastores["none"]


def test_an_unknown_datastore_is_told_those_there_are(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceException) as error:
        workspace.open_store("none")
    assert "no datastore 'none'; it has raw, workspaceblobstore, workspacefilestore" in str(error.value)
    assert str(tmp_path / "ws/workspace.yaml") in str(error.value)


def test_the_default_datastore_keeps_the_records(workspace: Workspace) -> None:
    assert (
        workspace.default_datastore_name() == workspace.get_default_datastore().name == "workspaceblobstore"
    )
    assert workspace.record_store().url("") == workspace.location


def test_compute_targets_by_name(workspace: Workspace) -> None:
    assert set(workspace.compute_targets) == {"local", "big", "odd", "wrong"}
    assert isinstance(workspace.compute_targets["local"], LocalCompute)
    assert workspace.get_default_compute_target().name == "big"
    assert workspace.get_default_compute_target("GPU").name == "big"
    with pytest.raises(KeyError, match="no compute target is called 'none'; there is big, local"):
        workspace.compute_targets["none"]
    with pytest.raises(ComputeTargetException, match="'odd' has the unknown type 'quantum'; known: local"):
        workspace.compute_targets["odd"]
    with pytest.raises(ComputeTargetException, match="'wrong'.*colour"):
        workspace.compute_targets["wrong"]


def test_experiments_are_those_that_ran(workspace: Workspace) -> None:
    from mlsteps.records import RunRecord

    assert list(workspace.experiments) == []
    for i, name in enumerate(("b", "a", "b")):
        RunRecord("dag", f"r{i}", name, "2026").create(workspace.record_store())
    assert list(workspace.experiments) == ["a", "b"]
    assert workspace.experiments["a"].name == "a"

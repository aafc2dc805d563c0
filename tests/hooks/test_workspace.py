"""Workspaces from Airflow's connections and configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlsteps import Workspace
from mlsteps.exceptions import WorkspaceException
from mlsteps.hooks.workspace import WorkspaceHook
from processes import folder_for_everybody, unprivileged


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, airflow_home: Path) -> Path:
    """The folder of the embedded workspace."""
    monkeypatch.delenv("MLSTEPS_WORKSPACE", raising=False)
    return airflow_home / "mlsteps"


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    def connect(conn_id: str, extra: object = None, conn_type: str = "mlsteps") -> None:
        connection = {"conn_type": conn_type, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    return connect


def test_a_connection_describes_a_workspace(connect: Any, tmp_path: Path) -> None:
    connect(
        "prices",
        {
            "folder": str(tmp_path / "ws"),
            "default_datastore": "raw",
            "default_compute_target": "",
            "datastores": {"raw": {"path": str(tmp_path / "raw")}, "below": "lake"},
            "compute_targets": {"big": {"type": "local"}},
        },
    )
    config = Workspace(conn_id="prices").config
    assert (config.name, config.source) == ("prices", "Airflow connection 'prices'")
    assert (config.folder, config.default_datastore) == (tmp_path / "ws", "raw")
    assert (config.datastores["raw"].folder, config.default_compute_target) == (tmp_path / "raw", "local")
    assert set(config.compute_targets) == {"local", "big"}


def test_relative_folders_and_no_folder_are_below_the_home(connect: Any, home: Path) -> None:
    connect("prices", {"datastores": {"lake": "lake"}})
    config = WorkspaceHook("prices").get_conn().config
    assert (config.folder, config.datastores["lake"].folder) == (home, home / "lake")
    connect("bare")
    assert Workspace(conn_id="bare").config.folder == home


def test_the_default_connection_is_used_when_there_is_one(
    connect: Any, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Workspace().config.folder == home
    connect("mlsteps_default", {"folder": str(tmp_path / "default")})
    assert Workspace().config.folder == tmp_path / "default"
    connect("other", {"folder": str(tmp_path / "other")})
    monkeypatch.setenv("AIRFLOW__MLSTEPS__CONN_ID", "other")
    assert Workspace().config.folder == tmp_path / "other"


def test_a_connection_that_is_missing_is_named() -> None:
    with pytest.raises(WorkspaceException, match="Airflow has no connection 'none'. Add one of type mlsteps"):
        Workspace(conn_id="none").config  # noqa: B018


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ({"fodler": "/x"}, "unknown setting 'fodler'"),
        ({"folder": 3}, "'folder' must be a text, got 3"),
        ({"datastores": {"a": 3}}, "datastore 'a' needs a 'path'"),
        ({"default_datastore": "x"}, "default_datastore 'x' is not one of"),
    ],
)
def test_what_is_wrong_is_named_with_the_connection(connect: Any, extra: object, problem: str) -> None:
    connect("prices", extra)
    with pytest.raises(WorkspaceException) as error:
        Workspace(conn_id="prices").config  # noqa: B018
    assert str(error.value).startswith("Airflow connection 'prices': ")
    assert problem in str(error.value)


def test_a_connection_of_another_type_is_refused(connect: Any) -> None:
    connect("database", {}, conn_type="postgres")
    with pytest.raises(WorkspaceException, match="'database': its type is 'postgres', not 'mlsteps'"):
        Workspace(conn_id="database").config  # noqa: B018


def test_the_button_of_the_form_tries_to_keep_a_record(connect: Any, tmp_path: Path) -> None:
    connect("prices", {"folder": str(tmp_path / "ws")})
    ok, text = WorkspaceHook("prices").test_connection()
    assert ok
    assert text == f"Records can be kept in {tmp_path}/ws/workspaceblobstore"
    assert Workspace(conn_id="prices").record_store().list_names("mlsteps") == []


def test_the_button_says_what_is_wrong(connect: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    connect("blocked", {"folder": str(tmp_path / "file/ws")})
    ok, text = WorkspaceHook("blocked").test_connection()
    assert not ok and str(tmp_path / "file") in text
    connect("wrong", {"x": 1})
    assert WorkspaceHook("wrong").test_connection()[0] is False
    ok, text = WorkspaceHook("none").test_connection()
    assert not ok and "no connection 'none'" in text


def test_the_button_says_that_a_folder_is_not_writable(connect: Any) -> None:
    with folder_for_everybody() as folder:
        folder.chmod(0o555)
        connect("prices", {"folder": str(folder / "ws")})
        Workspace(conn_id="prices").record_store()
        with unprivileged():
            ok, text = WorkspaceHook("prices").test_connection()
    assert not ok and "Permission denied" in text

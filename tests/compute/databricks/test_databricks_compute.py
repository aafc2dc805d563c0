"""DatabricksCompute: its settings, and SDK v1's way to attach one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from compute.jobs import Bench
from mlsteps import ComputeTarget, DatabricksCompute, Workspace
from mlsteps.compute import create_compute_target
from mlsteps.compute.databricks import api
from mlsteps.exceptions import ComputeTargetException


def test_what_it_says_of_itself_makes_it_again() -> None:
    target = DatabricksCompute(
        "dbx", databricks_conn_id="c", credentials="secret", places={"/a": "/Volumes/b/c/d"}
    )
    described = dict(target.describe())
    assert described.keys() == {"type", "name", "databricks_conn_id", "credentials", "places"}
    assert create_compute_target("dbx", described).describe() == described
    assert DatabricksCompute("dbx").describe() == {"type": "databricks", "name": "dbx"}


def test_it_is_attached_by_a_connection_and_found_by_name(tmp_path: Path) -> None:
    workspace = Workspace(folder=tmp_path)
    configuration = DatabricksCompute.attach_configuration(
        resource_group="g", workspace_name="w", access_token="dapi-secret", databricks_conn_id="c"
    )
    assert "dapi-secret" not in repr(configuration)
    ComputeTarget.attach(workspace, "dbx", configuration)
    found = DatabricksCompute(workspace, "dbx")
    assert (found.type, found.databricks_conn_id) == ("Databricks", "c")
    kept = [file.read_text() for file in tmp_path.rglob("*") if file.is_file()]
    assert kept and not any("dapi-secret" in text for text in kept)


def test_a_token_in_code_is_refused_with_advice_and_not_repeated() -> None:
    with pytest.raises(ComputeTargetException, match="connection of type databricks") as refused:
        DatabricksCompute.attach_configuration("group", "name", access_token="dapi-secret")
    assert "dapi-secret" not in str(refused.value)


@pytest.mark.parametrize(
    "setting",
    [
        {"credentials": "key"},
        {"url_scheme": "https"},
        {"databricks_conn_id": ""},
        {"upload_to": "mlsteps"},
        {"poll_seconds": 0},
        {"poll_seconds": True},
        {"places": {"/a": ""}},
        {"secrets": {"a": 1}},
    ],
    ids=str,
)
def test_an_unusable_setting_is_named(setting: dict[str, Any]) -> None:
    with pytest.raises(ComputeTargetException, match=f"'dbx': {next(iter(setting))} "):
        DatabricksCompute("dbx", **setting)


def test_it_runs_no_script_of_other_steps(tmp_path: Path) -> None:
    with pytest.raises(ComputeTargetException, match="DatabricksStep"):
        Bench(tmp_path, DatabricksCompute("dbx")).run("pass")


def test_without_the_provider_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.databricks.hooks.databricks", None)
    with pytest.raises(ComputeTargetException, match=r"airflow-provider-mlsteps\[databricks\]"):
        api.Databricks(DatabricksCompute("dbx"))


def test_a_connection_that_is_not_there_is_named() -> None:
    with pytest.raises(ComputeTargetException, match="connection 'no_such': could not look at run 1"):
        api.Databricks(DatabricksCompute("dbx", databricks_conn_id="no_such")).run(1)

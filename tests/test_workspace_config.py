"""Settings of a workspace: each wrong one is named with the place where it stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlsteps.exceptions import WorkspaceException
from mlsteps.workspace_config import read_v1_config, read_workspace_file


def written(folder: Path, text: str) -> Path:
    file = folder / "workspace.yaml"
    file.write_text(text)
    return file


def test_a_folder_without_a_file_is_a_workspace(tmp_path: Path) -> None:
    config = read_workspace_file(tmp_path / "ws")
    assert (config.name, config.folder, config.source) == ("ws", tmp_path / "ws", str(tmp_path / "ws"))
    assert {name: store.folder for name, store in config.datastores.items()} == {
        "workspaceblobstore": tmp_path / "ws/workspaceblobstore",
        "workspacefilestore": tmp_path / "ws/workspacefilestore",
    }
    assert (config.default_datastore, config.default_compute_target) == ("workspaceblobstore", "local")
    assert config.compute_targets == {"local": {"type": "local"}}
    assert not (tmp_path / "ws").exists()


def test_all_settings(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        """
        name: prices
        folder: data
        datastores:
          raw: /mnt/raw
          lake: {type: folder, path: lake}
          workspaceblobstore: ~/blob
        default_datastore: lake
        compute_targets:
          big: {type: local, pass_environment: [X]}
        default_compute_target: big
        """,
    )
    for path in (file, tmp_path):
        config = read_workspace_file(path)
        assert (config.name, config.source, config.folder) == ("prices", str(file), tmp_path / "data")
        assert {name: store.folder for name, store in config.datastores.items()} == {
            "raw": Path("/mnt/raw"),
            "lake": tmp_path / "lake",
            "workspaceblobstore": Path("~/blob").expanduser(),
            "workspacefilestore": tmp_path / "data/workspacefilestore",
        }
        assert (config.default_datastore, config.default_compute_target) == ("lake", "big")
        assert config.compute_targets["big"] == {"type": "local", "pass_environment": ["X"]}
        assert config.compute_targets["local"] == {"type": "local"}


@pytest.mark.parametrize("text", ["", "# nothing\n", "datastores:\ncompute_targets:\nname:\n"])
def test_an_empty_file_is_all_defaults(tmp_path: Path, text: str) -> None:
    config = read_workspace_file(written(tmp_path, text))
    assert (config.name, config.folder) == (tmp_path.name, tmp_path / "mlsteps")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "cannot be read"),
        ("[]", "expected settings by name, got list"),
        ("false", "expected settings by name, got bool"),
        ("just text", "expected settings by name, got str"),
        ("datastore: {}", "unknown setting 'datastore'; known are airflow, aml_compute, compute_targets"),
        ("1: x\nname: y", "unknown setting 1"),
        ("name: 3", "'name' must be a text, got 3"),
        ("folder: [a]", "'folder' must be a text"),
        ("datastores: raw", "'datastores' must be settings by name, got 'raw'"),
        ("datastores: []", "'datastores' must be settings by name"),
        ("datastores: {1: /x}", "'datastores' holds the name 1"),
        ("datastores: {'': /x}", "'datastores' holds the name ''"),
        ("datastores: {raw: 3}", "datastore 'raw' needs a 'path'"),
        ("datastores: {raw: {type: folder}}", "datastore 'raw' needs a 'path'"),
        ("datastores: {raw: {path: x, type: s3}}", "datastore 'raw' has the unknown type 's3'"),
        ("compute_targets: false", "'compute_targets' must be settings by name"),
        ("compute_targets: {gpu: local}", "compute target 'gpu' needs a 'type'"),
        ("compute_targets: {gpu: {a: b}}", "compute target 'gpu' needs a 'type'"),
        ("default_datastore: x", "default_datastore 'x' is not one of workspaceblobstore"),
        ("default_compute_target: x", "default_compute_target 'x' is not one of local"),
        ("default_datastore: 3", "'default_datastore' must be a text"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path: Path, text: str, problem: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(WorkspaceException) as error:
        read_workspace_file(tmp_path)
    assert str(error.value).startswith(f"{file}: ")
    assert problem in str(error.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "workspace.yaml"
    file.write_bytes(b"name: caf\xe9")
    with pytest.raises(WorkspaceException, match=f"^{file}: cannot be read"):
        read_workspace_file(file)


def test_a_file_that_is_missing_is_not_taken_for_a_folder(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceException, match=r"prices\.yaml: there is no such file"):
        read_workspace_file(tmp_path / "prices.yaml")


def test_sdk_v1_s_file(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    settings = {"subscription_id": "s", "resource_group": "g", "workspace_name": "w", "Scope": "/x"}
    file.write_text(json.dumps(settings), encoding="utf-8-sig")
    assert read_v1_config(file) == ("s", "g", "w")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"subscription_id": "s", "resource_group": "g"}'])
def test_a_json_file_of_something_else_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(WorkspaceException, match=f"^{file}: is not a config.json of SDK v1"):
        read_v1_config(file)

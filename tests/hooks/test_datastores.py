"""Datastores that a connection describes or opens: configured, registered in code, and refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlsteps import Datastore, Workspace
from mlsteps.cli.azurite import Azurite
from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.exceptions import DatastoreException, UserErrorException, WorkspaceException
from mlsteps.hooks.datastores import DatastoreHook
from servers.azurite import azurite

__all__ = ["azurite"]

Connect = Callable[..., None]


@pytest.fixture
def blobs(connect: Connect, azurite: Azurite) -> dict[str, str]:
    """The extra of a connection that opens the emulator, which is there as ``blobs``."""
    extra = {"connection_string": azurite.connection_string}
    connect("blobs", extra=extra)
    return extra


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(folder=tmp_path / "workspace")


def configured(folder: Path, text: str) -> Workspace:
    folder.mkdir(exist_ok=True)
    (folder / "workspace.yaml").write_text(text)
    return Workspace(folder=folder)


def test_a_workspace_names_a_container(tmp_path: Path, blobs: dict[str, str]) -> None:
    workspace = configured(
        tmp_path,
        "datastores: {raw: {type: azure_blob, container: named, conn_id: blobs, prefix: a/b, "
        "create_if_not_exists: true}}",
    )
    store = Datastore(workspace, "raw").store
    assert isinstance(store, AzureBlobStore)
    store.write("c", b"x")
    assert store.url("c").endswith("/mlsteps/named/a/b/c")


def test_records_can_be_kept_on_blob_storage(tmp_path: Path, blobs: dict[str, str]) -> None:
    workspace = configured(
        tmp_path,
        "datastores: {workspaceblobstore: {type: azure_blob, container: records, conn_id: blobs, "
        "create_if_not_exists: true}}",
    )
    assert isinstance(workspace.record_store(), AzureBlobStore)
    workspace.record_store().write("mlsteps/x", b"x")
    assert workspace.location.endswith("/records")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("{type: azure_blob}", "needs a 'container', as its type is azure_blob"),
        ("{type: azure_blob, container: c, account_key: k}", "'account_key' is a secret"),
        (
            "{type: azure_blob, container: c, contianer: d}",
            "unknown setting 'contianer'; known are account_name",
        ),
        ("{type: azure_blob, container: 3}", "'container' must be a text, got 3"),
        ("{type: azure_blob, container: c, public_read: 'yes'}", "'public_read' must be true or false"),
        ("{type: azur_blob, container: c}", "unknown type 'azur_blob'; known are azure_blob"),
        ("{type: postgresql}", "needs a 'conn_id'"),
    ],
)
def test_what_is_wrong_with_a_datastore_is_named(tmp_path: Path, settings: str, problem: str) -> None:
    workspace = configured(tmp_path, f"datastores: {{raw: {settings}}}")
    with pytest.raises(WorkspaceException, match="datastore 'raw'") as told:
        workspace.config  # noqa: B018
    assert problem in str(told.value)


def test_records_cannot_be_kept_in_tables(tmp_path: Path) -> None:
    text = "datastores: {sales: {type: postgresql, conn_id: pg}}\ndefault_datastore: sales"
    with pytest.raises(WorkspaceException, match="holds tables; records are files"):
        configured(tmp_path, text).config  # noqa: B018


def test_a_connection_describes_a_datastore(
    connect: Connect, tmp_path: Path, blobs: dict[str, str], azurite: Azurite
) -> None:
    connect(
        "lake",
        "mlsteps_datastore",
        extra={"container": "described", "conn_id": "blobs", "create_if_not_exists": True},
    )
    DatastoreHook("lake").get_conn().write("a", b"x")
    assert DatastoreHook("lake").test_connection() == (True, f"{azurite.url}/described can be listed")
    workspace = configured(tmp_path, "datastores: {raw: {conn_id: lake}}")
    assert workspace.open_store("raw").read("a") == b"x"
    connect("own", "mlsteps_datastore", extra={"container": "described", **blobs})
    assert DatastoreHook("own").get_conn().read("a") == b"x"
    connect("folder", "mlsteps_datastore", extra={"path": str(tmp_path)})
    assert DatastoreHook("folder").test_connection() == (True, f"{tmp_path} can be listed")


def test_the_button_of_the_connection_form_says_what_is_wrong(
    connect: Connect, blobs: dict[str, str]
) -> None:
    connect("lake", "mlsteps_datastore", extra={"container": "nobody-made-it", "conn_id": "blobs"})
    worked, told = DatastoreHook("lake").test_connection()
    assert (worked, "ContainerNotFound" in told) == (False, True)
    assert DatastoreHook("nowhere").test_connection()[0] is False


def test_a_container_is_registered_in_code(workspace: Workspace, blobs: dict[str, str]) -> None:
    made = Datastore.register_azure_blob_container(
        workspace, "blobs", "registered", "mlsteps", create_if_not_exists=True
    )
    made.store.write("a", b"x")
    again = Workspace.from_locator(workspace.locator)
    assert Datastore.get(again, "blobs").store.read("a") == b"x"
    assert set(again.datastores) == {"blobs", "workspaceblobstore", "workspacefilestore"}
    Datastore.register_azure_blob_container(
        workspace, "blobs", "registered", "mlsteps", create_if_not_exists=True
    )
    with pytest.raises(WorkspaceException, match="registered already"):
        Datastore.register_azure_blob_container(workspace, "blobs", "other", "mlsteps")
    Datastore.register_azure_blob_container(workspace, "blobs", "other", "mlsteps", overwrite=True)
    assert again.datastore_config("blobs").settings["container"] == "other"
    Datastore(again, "blobs").unregister()
    with pytest.raises(WorkspaceException, match="no datastore 'blobs'"):
        workspace.open_store("blobs")


def test_a_secret_in_code_is_not_kept_and_not_needed_where_a_connection_has_it(
    workspace: Workspace, blobs: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(
        UserErrorException, match=r"account_key was given in code.*connections add nowhere"
    ) as told:
        Datastore.register_azure_blob_container(
            workspace, "nowhere", "registered", "mlsteps", account_key="hush-hush"
        )
    assert "hush" not in str(told.value)
    Datastore.register_azure_blob_container(
        workspace, "blobs", "registered", "mlsteps", account_key="hush-hush", create_if_not_exists=True
    ).store.write("a", b"x")
    kept = [file.read_text(errors="replace") for file in tmp_path.rglob("*") if file.is_file()]
    assert kept
    assert not any("hush" in text for text in kept)


def test_a_connection_to_another_account_is_refused(workspace: Workspace, blobs: dict[str, str]) -> None:
    Datastore.register_azure_blob_container(workspace, "blobs", "registered", "someone-elses")
    with pytest.raises(WorkspaceException, match="opens storage account 'mlsteps'.* is on 'someone-elses'"):
        workspace.open_store("blobs")


def test_another_datastore_can_be_the_default_one(workspace: Workspace, blobs: dict[str, str]) -> None:
    made = Datastore.register_azure_blob_container(workspace, "blobs", "default")
    made.set_as_default()
    assert workspace.get_default_datastore().name == "blobs"
    assert Workspace.from_locator(workspace.locator).get_default_datastore().name == "blobs"
    assert workspace.location.endswith("workspaceblobstore"), "records stay"
    with pytest.raises(WorkspaceException, match="no datastore 'nobodys'"):
        workspace.set_default_datastore("nobodys")


def test_what_is_configured_cannot_be_registered(tmp_path: Path) -> None:
    workspace = configured(tmp_path, "datastores: {raw: raw}")
    with pytest.raises(WorkspaceException, match=r"configured in .*workspace.yaml; change it there"):
        Datastore.register_azure_blob_container(workspace, "raw", "c")
    with pytest.raises(WorkspaceException, match="remove it there"):
        Datastore(workspace, "raw").unregister()


def test_retired_storage_names_what_to_use(workspace: Workspace) -> None:
    with pytest.raises(UserErrorException, match="register_azure_data_lake_gen2"):
        Datastore.register_azure_data_lake(workspace, "old", "store")
    with pytest.raises(UserErrorException, match="DatabricksStep"):
        Datastore.register_dbfs(workspace, "dbfs")
    with pytest.raises(UserErrorException, match="object_storage"):
        Datastore.register_hdfs(workspace, "hdfs", "https", "node", "", "", "", "")


def test_a_missing_connection_is_told_when_it_is_needed(tmp_path: Path) -> None:
    workspace = configured(tmp_path, "datastores: {raw: {type: azure_blob, container: c, conn_id: nowhere}}")
    with pytest.raises(WorkspaceException, match="Airflow has no connection 'nowhere'"):
        workspace.open_store("raw")


def test_files_and_tables_are_not_confused(tmp_path: Path) -> None:
    workspace = configured(tmp_path, "datastores: {sales: {type: postgresql, conn_id: pg}, raw: raw}")
    with pytest.raises(WorkspaceException, match="holds tables, and no files"):
        workspace.open_store("sales")
    with pytest.raises(WorkspaceException, match="holds files, and no tables"):
        workspace.open_sql("raw")


def test_an_error_of_the_service_names_the_connection(
    tmp_path: Path, connect: Connect, azurite: Azurite
) -> None:
    connect("wrong", host=azurite.url, login="mlsteps", password="d3Jvbmc=")
    text = "datastores: {raw: {type: azure_blob, container: somewhere, conn_id: wrong}}"
    workspace = configured(tmp_path, text)
    with pytest.raises(DatastoreException, match="What Airflow connection 'wrong' holds does not allow it"):
        workspace.open_store("raw").read("a")

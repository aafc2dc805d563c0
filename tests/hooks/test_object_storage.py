"""Object storage by Airflow's connections."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import airflow.sdk.io
import pytest
import s3fs

from mlsteps.data.stores import FolderStore
from mlsteps.exceptions import DatastoreException, WorkspaceException
from mlsteps.hooks.object_storage import open_object_storage
from servers.s3 import KEY, SECRET, S3Server, s3_server


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture
def connection(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a connection as Airflow's amazon provider wants it."""
    extra = {"endpoint_url": server.url, "region_name": "us-east-1"}
    value = {"conn_type": "aws", "login": KEY, "password": SECRET, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(value))
    return "mine"


@pytest.fixture
def amazon(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Airflow with a provider that opens s3; the connections it was asked for."""
    asked: list[str | None] = []

    def get_fs(scheme: str, conn_id: str | None = None) -> Any:
        asked.append(conn_id)
        return s3fs.S3FileSystem(**server.options)

    monkeypatch.setattr(airflow.sdk.io, "has_fs", lambda scheme: scheme == "s3")
    monkeypatch.setattr(airflow.sdk.io, "get_fs", get_fs)
    return asked


@pytest.mark.parametrize("given", ["s3://mine@{}/a folder/#1/", "S3://{}/a folder/#1"])
def test_a_url_and_a_connection_open_a_store(
    server: S3Server, connection: str, amazon: list[str | None], given: str
) -> None:
    bucket = server.bucket()
    store = open_object_storage(given.format(bucket), None if "@" in given else connection)
    assert store.create("x", b"1")
    assert store.url("x") == f"s3://{bucket}/a folder/#1/x"
    assert s3fs.S3FileSystem(**server.options).cat_file(f"{bucket}/a folder/#1/x") == b"1"
    assert amazon == ["mine"]


def test_without_a_connection_the_machine_is_asked(server: S3Server, amazon: list[str | None]) -> None:
    open_object_storage(f"s3://{server.bucket()}").write("x", b"")
    assert amazon == [None]


def test_airflows_own_provider_opens_it(server: S3Server, connection: str) -> None:
    pytest.importorskip("airflow.providers.amazon", reason="apache-airflow-providers-amazon is not installed")
    bucket = server.bucket()
    store = open_object_storage(f"s3://{connection}@{bucket}/folder")
    assert store.create("x", b"1")
    assert not store.create("x", b"2")
    assert [info.path for info in store.list()] == ["x"]


def test_a_folder_is_a_folder(tmp_path: Path) -> None:
    store = open_object_storage(f"file://{tmp_path}/a b")
    assert isinstance(store, FolderStore)
    assert store.root == tmp_path / "a b"


@pytest.mark.parametrize(
    ("scheme", "package"),
    [
        ("s3", "airflow-provider-mlsteps[s3]"),
        ("s3a", "apache-airflow-providers-amazon and s3fs"),
        ("gs", "apache-airflow-providers-google and gcsfs"),
        ("ftp", "the Airflow provider that has a filesystem for it"),
    ],
)
def test_what_has_to_be_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, scheme: str, package: str
) -> None:
    monkeypatch.setattr(airflow.sdk.io, "has_fs", lambda _: False)
    with pytest.raises(WorkspaceException) as caught:
        open_object_storage(f"{scheme}://bucket/folder")
    assert f"opens {scheme}://" in str(caught.value)
    assert package in str(caught.value)


def test_a_provider_without_its_filesystem_is_told(
    monkeypatch: pytest.MonkeyPatch, amazon: list[str | None]
) -> None:
    def get_fs(*_: object) -> None:
        raise ImportError("Airflow FS S3 protocol requires the s3fs library")

    monkeypatch.setattr(airflow.sdk.io, "get_fs", get_fs)
    with pytest.raises(WorkspaceException, match="not complete. Install airflow-provider-mlsteps"):
        open_object_storage("s3://bucket")


def test_a_filesystem_that_cannot_be_made_is_told_without_secrets(
    monkeypatch: pytest.MonkeyPatch, amazon: list[str | None], connection: str
) -> None:
    def get_fs(*_: object) -> None:
        raise ValueError("password=hush is wrong")

    monkeypatch.setattr(airflow.sdk.io, "get_fs", get_fs)
    with pytest.raises(DatastoreException, match="connection 'mine' opens no s3://: password=") as caught:
        open_object_storage("s3://bucket", connection)
    assert "hush" not in str(caught.value)


def test_a_connection_that_is_missing_is_told_before_a_provider_goes_on_without(
    amazon: list[str | None],
) -> None:
    with pytest.raises(WorkspaceException, match="Airflow has no connection 'nobody'"):
        open_object_storage("s3://nobody@bucket")
    assert amazon == []


@pytest.mark.parametrize(
    ("url", "conn_id", "problem"),
    [
        ("bucket/folder", "", "is no URL of an object storage"),
        ("s3://", "", "is no URL of an object storage"),
        ("s3:///folder", "", "is no URL of an object storage"),
        ("s3://key:hush@bucket", "", "its URL holds credentials"),
        ("s3://one@bucket", "two", "names the connection 'one' and conn_id is 'two'"),
        ("abfs://container/folder", "", "Give the datastore the type azure_blob"),
    ],
)
def test_a_url_that_cannot_be_used_is_told(url: str, conn_id: str, problem: str) -> None:
    with pytest.raises(WorkspaceException, match=problem) as caught:
        open_object_storage(url, conn_id)
    assert "hush" not in str(caught.value)

"""What data is called on a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from mlsteps.compute.databricks.urls import azure_place, cluster_url
from mlsteps.data.stores import FolderStore, Store
from mlsteps.exceptions import ComputeTargetException


class At:
    """Stands for a store elsewhere, of which only the URLs are asked."""

    def __init__(self, root: str) -> None:
        self._root = root

    def url(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root


BLOBS = "https://acc.blob.core.windows.net/cont"


@pytest.mark.parametrize(
    ("root", "path", "scheme", "expected"),
    [
        (BLOBS, "a/b", "abfss", "abfss://cont@acc.dfs.core.windows.net/a/b"),
        (BLOBS, "a/b", "wasbs", "wasbs://cont@acc.blob.core.windows.net/a/b"),
        (BLOBS, "a b#?%20/ä", "abfss", "abfss://cont@acc.dfs.core.windows.net/a b#?%20/ä"),
        (BLOBS, "", "abfss", "abfss://cont@acc.dfs.core.windows.net/"),
        (
            "https://acc.blob.core.chinacloudapi.cn/c",
            "x",
            "abfss",
            "abfss://c@acc.dfs.core.chinacloudapi.cn/x",
        ),
        ("s3://bucket/p", "x", "abfss", "s3://bucket/p/x"),
        ("gs://bucket", "x", "abfss", "gs://bucket/x"),
    ],
)
def test_a_place_has_its_url(root: str, path: str, scheme: str, expected: str) -> None:
    assert cluster_url("w", cast(Store, At(root)), path, {}, scheme) == expected


def test_a_place_that_was_named_goes_by_that_name(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "lake")
    places = {
        str(tmp_path): "/Volumes/all",
        f"{tmp_path}/lake/": "/Volumes/main/ml/lake/",
        f"{BLOBS}/x": "/Volumes/x",
    }
    assert cluster_url("w", store, "a/b", places, "abfss") == "/Volumes/main/ml/lake/a/b"
    assert cluster_url("w", store, "", places, "abfss") == "/Volumes/main/ml/lake"
    assert cluster_url("w", FolderStore(tmp_path / "lakes"), "a", places, "abfss") == "/Volumes/all/lakes/a"
    assert cluster_url("w", cast(Store, At(BLOBS)), "x/y", places, "abfss") == "/Volumes/x/y"
    assert cluster_url("w", cast(Store, At(BLOBS)), "xy", places, "abfss").startswith("abfss://")


@pytest.mark.parametrize(
    "root", ["/data", "http://127.0.0.1:1/acc/c", "https://example.org/x", "https://acc.blob"]
)
def test_a_place_that_a_cluster_does_not_reach_is_refused(root: str) -> None:
    with pytest.raises(ComputeTargetException, match="^here: .*places"):
        cluster_url("here", cast(Store, At(root)), "p", {}, "abfss")


def test_the_account_of_a_place_is_named_as_spark_does() -> None:
    place: Any = azure_place(f"{BLOBS}/a")
    assert (place.host("abfss"), place.host("wasbs")) == (
        "acc.dfs.core.windows.net",
        "acc.blob.core.windows.net",
    )

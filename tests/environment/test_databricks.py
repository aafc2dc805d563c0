"""Libraries and clusters of Databricks jobs, as SDK v1 declares them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlsteps import Environment
from mlsteps.environment import (
    DatabricksCluster,
    EggLibrary,
    JarLibrary,
    MavenLibrary,
    PyPiLibrary,
    RCranLibrary,
)
from mlsteps.exceptions import UserErrorException


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (PyPiLibrary, {"package": ["a"]}),
        (PyPiLibrary, {"package": "a", "repo": 1}),
        (MavenLibrary, {"coordinates": 1}),
        (MavenLibrary, {"coordinates": "g:a:1", "exclusions": "g:b"}),
        (EggLibrary, {"library": Path("a")}),
        (JarLibrary, {"library": 1}),
        (RCranLibrary, {"package": 1}),
    ],
    ids=str,
)
def test_a_library_that_is_no_text_is_refused(kind: type, wrong: dict[str, Any]) -> None:
    with pytest.raises(UserErrorException, match=kind.__name__):
        kind(**wrong)


def test_an_environment_keeps_them_in_its_file(tmp_path: Path) -> None:
    environment = Environment("e")
    section = environment.databricks
    section.pypi_libraries = [PyPiLibrary("a==1", "https://r")]
    section.maven_libraries = [MavenLibrary("g:a:1", exclusions=["x:y"])]
    section.cluster = DatabricksCluster(num_workers=1, spark_conf={"a.b": "c"})
    environment.save_to_directory(tmp_path / "e")
    found = Environment.load_from_directory(tmp_path / "e").databricks
    assert found.pypi_libraries == section.pypi_libraries
    assert found.maven_libraries == section.maven_libraries
    assert found.cluster == section.cluster


NEW = {"num_workers": 1}


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("num_workers", {}),
        ("num_workers", {"num_workers": -1}),
        ("num_workers", {"num_workers": "2"}),
        ("num_workers", {"num_workers": True}),
        ("num_workers", {"num_workers": 1, "min_workers": 1, "max_workers": 2}),
        ("max_workers", {"min_workers": 1}),
        ("min_workers", {"max_workers": 1}),
        ("min_workers", {"min_workers": 3, "max_workers": 2}),
        ("node_type", {**NEW, "node_type": "a", "instance_pool_id": "b"}),
        ("spark_version", {**NEW, "spark_version": 15}),
        ("spark_conf", {**NEW, "spark_conf": {"a": 1}}),
        ("spark_env_variables", {**NEW, "spark_env_variables": ["a"]}),
        ("init_scripts", {**NEW, "init_scripts": "dbfs:/a"}),
        ("init_scripts", {**NEW, "init_scripts": ["a.sh"]}),
        ("cluster_log_dbfs_path", {**NEW, "cluster_log_dbfs_path": "/logs"}),
        ("permit_cluster_restart", {**NEW, "permit_cluster_restart": False}),
        ("permit_cluster_restart", {"existing_cluster_id": "c", "permit_cluster_restart": "yes"}),
        ("spark_version", {"existing_cluster_id": "c", "spark_version": "x"}),
        ("existing_cluster_id", {"existing_cluster_id": " "}),
    ],
    ids=str,
)
def test_what_no_cluster_can_be_is_refused_by_its_argument(argument: str, given: dict[str, Any]) -> None:
    with pytest.raises(UserErrorException, match=f"DatabricksCluster, argument '{argument}':"):
        DatabricksCluster(**given).validate()


@pytest.mark.parametrize(
    "given",
    [
        {"existing_cluster_id": "c"},
        {"existing_cluster_id": "c", "permit_cluster_restart": True},
        {"num_workers": 0},
        {"min_workers": 1, "max_workers": 1},
        {"instance_pool_id": "p", "num_workers": 1},
        {**NEW, "init_scripts": ["/Shared/a", "/Volumes/a", "dbfs:/a", "abfss://c@a/b", "s3://a"]},
        {**NEW, "cluster_log_dbfs_path": "/Volumes/a/b/c"},
    ],
    ids=str,
)
def test_what_a_cluster_can_be_is_good(given: dict[str, Any]) -> None:
    DatabricksCluster(**given).validate()

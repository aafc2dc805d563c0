"""Clusters and libraries as the Jobs API has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlsteps.environment.databricks import (
    DatabricksCluster,
    EggLibrary,
    JarLibrary,
    Library,
    MavenLibrary,
    PyPiLibrary,
    init_script_kind,
)

# SDK v1's own.
_VARIABLES = {"PYSPARK_PYTHON": "/databricks/python3/bin/python3"}
# A machine that is driver and worker at once, as Databricks documents it.
_SINGLE = {"spark.databricks.cluster.profile": "singleNode", "spark.master": "local[*]"}
_SINGLE_TAG = {"ResourceClass": "SingleNode"}


def new_cluster(
    cluster: DatabricksCluster,
    spark_version: str,
    node_type: str,
    spark_conf: Mapping[str, str],
    options: Mapping[str, object],
) -> dict[str, Any]:
    """The specification of a cluster for one run.

    :param spark_version, node_type: Where the cluster says none.
    :param spark_conf: What data needs; the cluster's own settings win.
    :param options: Further fields of the API, which win over all of these.
    """
    given = cluster.spark_env_variables
    made: dict[str, Any] = {
        "spark_version": cluster.spark_version or spark_version,
        "spark_env_vars": dict(_VARIABLES if given is None else given),
    }
    if cluster.instance_pool_id is not None:
        made["instance_pool_id"] = cluster.instance_pool_id
    else:
        made["node_type_id"] = cluster.node_type or node_type
    if cluster.num_workers is None:
        made["autoscale"] = {"min_workers": cluster.min_workers, "max_workers": cluster.max_workers}
    else:
        made["num_workers"] = cluster.num_workers
    settings = {**spark_conf, **(cluster.spark_conf or {})}
    if cluster.num_workers == 0:
        settings = {**_SINGLE, **settings}
        made["custom_tags"] = dict(_SINGLE_TAG)
    if settings:
        made["spark_conf"] = settings
    if cluster.init_scripts:
        made["init_scripts"] = [_init_script(path) for path in cluster.init_scripts]
    if cluster.cluster_log_dbfs_path is not None:
        made["cluster_log_conf"] = _logs(cluster.cluster_log_dbfs_path)
    return {**made, **options}


def libraries(given: Sequence[Library]) -> list[dict[str, Any]]:
    """Libraries, each by its kind."""
    return [_library(one) for one in given]


def _library(one: Library) -> dict[str, Any]:
    if isinstance(one, JarLibrary):
        return {"jar": one.library}
    if isinstance(one, EggLibrary):
        return {"egg": one.library}
    if isinstance(one, MavenLibrary):
        found: dict[str, Any] = {"coordinates": one.coordinates}
        if one.exclusions:
            found["exclusions"] = list(one.exclusions)
    else:
        found = {"package": one.package}
    if one.repo:
        found["repo"] = one.repo
    kind = "maven" if isinstance(one, MavenLibrary) else "pypi" if isinstance(one, PyPiLibrary) else "cran"
    return {kind: found}


def _init_script(path: str) -> dict[str, Any]:
    return {str(init_script_kind(path)): {"destination": path}}


def _logs(path: str) -> dict[str, Any]:
    kind = "dbfs" if path.startswith("dbfs:") else "s3" if path.startswith("s3:") else "volumes"
    return {kind: {"destination": path}}

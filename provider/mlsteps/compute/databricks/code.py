"""Code on its way to Databricks, and code that lies there: uploads, and what counts of it for reuse."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlsteps.compute.databricks.api import Databricks
from mlsteps.compute.databricks.databricks_compute import DatabricksCompute
from mlsteps.compute.databricks.task import DatabricksTask, Serverless

# Written last, so that half an upload is never taken for a whole one.
_COMPLETE = ".mlsteps-complete"


def uploaded(
    databricks: Databricks, target: DatabricksCompute, snapshot: Path, tell: Callable[[str], None]
) -> str:
    """The folder that holds a snapshot's files; they are uploaded unless they are there.

    :param snapshot: An archive, named by the digest of what is in it.
    """
    folder = f"{target.upload_to.rstrip('/')}/{snapshot.stem}"
    if databricks.exists(f"{folder}/{_COMPLETE}"):
        return folder
    databricks.make_folder(folder)
    with zipfile.ZipFile(snapshot) as archive:
        names = sorted(name for name in archive.namelist() if not name.endswith("/"))
        for below in sorted({name.rpartition("/")[0] for name in names} - {""}):
            databricks.make_folder(f"{folder}/{below}")
        for name in names:
            databricks.write(f"{folder}/{name}", archive.read(name))
    databricks.write(f"{folder}/{_COMPLETE}", b"")
    tell(f"{len(names)} files of the source directory are in {folder}.")
    return folder


def identity(target: DatabricksCompute, task: DatabricksTask, databricks: Callable[[], Databricks]) -> Any:
    """What of code, libraries and cluster decides about a result, as plain JSON.

    :param databricks: Opens the workspace, if something there has to be looked at.
    """
    found: dict[str, Any] = {
        "libraries": [{"kind": type(one).__name__, **asdict(one)} for one in task.libraries]
    }
    looked_at = _content(task, databricks)
    if looked_at is not None:
        found["code"] = looked_at
    if isinstance(task.cluster, Serverless):
        found["environment_version"] = task.cluster.environment_version
        return found
    cluster = task.cluster
    for setting in ("spark_conf", "spark_env_variables", "init_scripts"):
        if getattr(cluster, setting):
            found[setting] = getattr(cluster, setting)
    if not task.cluster_counts:
        return found
    if cluster.existing_cluster_id is not None:
        there = databricks().cluster(cluster.existing_cluster_id)
        facts = {"spark_version": there.get("spark_version"), "node_type": there.get("node_type_id")}
    else:
        node = cluster.instance_pool_id or cluster.node_type or target.node_type
        facts = {"spark_version": cluster.spark_version or target.spark_version, "node_type": node}
    return {**found, **{name: facts[name] for name in task.cluster_counts}}


def _content(task: DatabricksTask, databricks: Callable[[], Databricks]) -> str | None:
    """The digest of a notebook or script that lies on Databricks; None where it cannot be read there."""
    path = task.what
    readable = path.startswith("dbfs:/") or (path.startswith("/") and not path.startswith("/Volumes/"))
    if task.kind not in ("notebook", "script") or not readable:
        return None
    digest = hashlib.sha256()
    for piece in databricks().read(path, notebook=task.kind == "notebook"):
        digest.update(piece)
    return f"sha256:{digest.hexdigest()}"

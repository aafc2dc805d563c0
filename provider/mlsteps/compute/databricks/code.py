"""Code on its way to Databricks, and code that lies there: uploads, and what counts of it for reuse."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlsteps.compute.databricks.api import Databricks
from mlsteps.compute.databricks.cluster import libraries
from mlsteps.compute.databricks.databricks_compute import DatabricksCompute
from mlsteps.compute.databricks.task import DatabricksTask, Serverless
from mlsteps.environment.databricks import Library, PyPiLibrary
from mlsteps.reuse.key import hidden

# Written last, so that half an upload is never taken for a whole one.
_COMPLETE = ".mlsteps-complete"
_SECRET = re.compile(r"key|secret|token|password|credential|sas", re.IGNORECASE)


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


def identity(
    target: DatabricksCompute, task: DatabricksTask, databricks: Callable[[], Databricks]
) -> dict[str, Any]:
    """What of code, libraries and cluster decides about a result, as plain JSON.

    :param databricks: Opens the workspace, if something there has to be looked at.
    """
    found: dict[str, Any] = {"kind": "databricks", **_libraries(task.libraries)}
    content = _content(task, databricks)
    if content is not None:
        found[task.kind] = content
    if isinstance(task.cluster, Serverless):
        return {**found, "environment_version": task.cluster.environment_version}
    cluster = task.cluster
    for setting in ("spark_conf", "spark_env_variables"):
        for name, value in (getattr(cluster, setting) or {}).items():
            found[f"{setting} {name}"] = hidden(name, value) if _SECRET.search(name) else value
    if cluster.init_scripts:
        found["init_scripts"] = list(cluster.init_scripts)
    if not task.cluster_counts:
        return found
    if cluster.existing_cluster_id is not None:
        there = databricks().cluster(cluster.existing_cluster_id)
        facts = {"spark_version": there.get("spark_version"), "node_type": there.get("node_type_id")}
    else:
        node = cluster.instance_pool_id or cluster.node_type or target.node_type
        facts = {"spark_version": cluster.spark_version or target.spark_version, "node_type": node}
    return {**found, **{name: facts[name] for name in task.cluster_counts}}


def _libraries(given: tuple[Library, ...]) -> dict[str, Any]:
    """Libraries by their names; packages of PyPI as requirements, of which changes are told one by one."""
    packages = [one for one in given if isinstance(one, PyPiLibrary)]
    found: dict[str, Any] = {"requirements": sorted(str(one.package) for one in packages)} if packages else {}
    for one, sent in zip(given, libraries(given), strict=True):
        ((kind, said),) = sent.items()
        if not isinstance(one, PyPiLibrary):
            name = said if isinstance(said, str) else said.get("package") or said["coordinates"]
            found[f"{kind} {name}"] = said
        elif one.repo:
            found[f"index of {one.package}"] = one.repo
    return found


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

"""Code on its way to Databricks, and code that lies there: uploads, and what counts of it for reuse."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable, Iterator
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
# Stands in for the package: Python goes on with what a module has put in its own place.
_MODULE = """# Written by mlsteps: lets this folder's scripts import mlsteps.run.
import importlib
import importlib.machinery
import sys

if importlib.machinery.PathFinder.find_spec(__name__, [{path!r}]) is None:
    raise ImportError("this cluster does not reach what mlsteps has uploaded to " + {path!r})
sys.path.insert(0, {path!r})
del sys.modules[__name__]
importlib.import_module(__name__)
"""
_SECRET = re.compile(r"key|secret|token|password|credential|sas", re.IGNORECASE)


def uploaded(
    databricks: Databricks, target: DatabricksCompute, snapshot: Path, tell: Callable[[str], None]
) -> str:
    """The folder that holds a snapshot's files; they are uploaded unless they are there.

    :param snapshot: An archive, named by the digest of what is in it.
    """
    folder = f"{target.upload_to.rstrip('/')}/{snapshot.stem}"

    def files() -> Iterator[tuple[str, bytes]]:
        with zipfile.ZipFile(snapshot) as archive:
            for name in sorted(name for name in archive.namelist() if not name.endswith("/")):
                yield name, archive.read(name)

    if made := _completed(databricks, folder, files()):
        tell(f"{made} files of the source directory are in {folder}.")
    return folder


def uploaded_run(databricks: Databricks, target: DatabricksCompute, archive: Path) -> str:
    """What a cluster's Python finds ``mlsteps.run`` by; it is uploaded unless it is there.

    :param archive: It, named by its digest.
    """
    folder = f"{target.upload_to.rstrip('/')}/{archive.stem}"
    _completed(databricks, folder, iter([(archive.name, archive.read_bytes())]))
    return _path_there(f"{folder}/{archive.name}")


def give_run(databricks: Databricks, script: str, run_path: str, snapshot: Path) -> None:
    """Let an uploaded script import ``mlsteps.run`` without further ado.

    :param script: Its path there; Python looks for modules in its folder.
    :param run_path: See :func:`uploaded_run`.
    :param snapshot: If it has an ``mlsteps`` in that folder, that one stays.
    """
    folder = script.rpartition("/")[0]
    below = folder.partition(f"/{snapshot.stem}")[2].strip("/")
    prefix = f"{below}/" if below else ""
    with zipfile.ZipFile(snapshot) as archive:
        if any(name.startswith((f"{prefix}mlsteps.py", f"{prefix}mlsteps/")) for name in archive.namelist()):
            return
    mark = f".{run_path.rpartition('/')[2]}"
    if not databricks.exists(f"{folder}/{mark}"):
        databricks.write(f"{folder}/mlsteps.py", _MODULE.format(path=run_path).encode())
        databricks.write(f"{folder}/{mark}", b"")


def _completed(databricks: Databricks, folder: str, files: Iterator[tuple[str, bytes]]) -> int:
    """Write files to a folder unless all of them are there; how many were written."""
    if databricks.exists(f"{folder}/{_COMPLETE}"):
        return 0
    databricks.make_folder(folder)
    made, count = {folder}, 0
    for name, data in files:
        path = f"{folder}/{name}"
        if (parent := path.rpartition("/")[0]) not in made:
            made.add(parent)
            databricks.make_folder(parent)
        databricks.write(path, data)
        count += 1
    databricks.write(f"{folder}/{_COMPLETE}", b"")
    return count


def _path_there(path: str) -> str:
    """Where a cluster has a file of the workspace or of DBFS among its own."""
    if path.startswith("dbfs:"):
        return path.replace("dbfs:", "/dbfs", 1)
    return path if path.startswith(("/Workspace/", "/Volumes/")) else f"/Workspace{path}"


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
    readable = path.startswith(("dbfs:/", "/"))
    if task.kind not in ("notebook", "script") or not readable:
        return None
    digest = hashlib.sha256()
    for piece in databricks().read(path, notebook=task.kind == "notebook"):
        digest.update(piece)
    return f"sha256:{digest.hexdigest()}"

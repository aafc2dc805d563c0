"""The body of ``POST /api/2.2/jobs/runs/submit``: a pure function of what is known when a job starts."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from mlsteps.compute.databricks.cluster import libraries, new_cluster
from mlsteps.compute.databricks.parameters import JobValues, arguments, widgets
from mlsteps.compute.databricks.task import DatabricksTask, Serverless
from mlsteps.environment.databricks import PyPiLibrary

if TYPE_CHECKING:
    from mlsteps.compute.databricks.databricks_compute import DatabricksCompute

TASK_KEY = "step"
ENVIRONMENT_KEY = "default"
# What makes a cluster's setting one of Hadoop's, whose drivers open the storage.
_HADOOP = "spark.hadoop."
_SIGNATURE = "fs.azure.sas.fixed.token."
_PROVIDER = "org.apache.hadoop.fs.azurebfs.sas.FixedSASTokenProvider"


def idempotency_token(job_id: str) -> str:
    """The token of one try: Databricks makes one run of it, however often it is asked to.

    :param job_id: Unique to the try.
    """
    return hashlib.sha256(f"mlsteps/databricks/{job_id}".encode()).hexdigest()  # 64 characters, the most


def submit_request(
    target: DatabricksCompute, task: DatabricksTask, values: JobValues, name: str, token: str
) -> dict[str, Any]:
    """What to ask Databricks for.

    :param name: What the run is called if the task does not say.
    :param token: See :func:`idempotency_token`.
    """
    asked: dict[str, Any] = {"task_key": TASK_KEY, **_code(task, values)}
    request: dict[str, Any] = {"run_name": task.run_name or name, "idempotency_token": token}
    if isinstance(task.cluster, Serverless):
        if task.kind != "notebook":  # whose environment is its own
            asked["environment_key"] = ENVIRONMENT_KEY
            request["environments"] = [_environment(task, task.cluster)]
    else:
        if task.cluster.existing_cluster_id is not None:
            asked["existing_cluster_id"] = task.cluster.existing_cluster_id
        else:
            asked["new_cluster"] = new_cluster(
                task.cluster,
                target.spark_version,
                target.node_type,
                _secret_settings(target, values),
                task.cluster_options,
            )
        if task.libraries:
            asked["libraries"] = libraries(task.libraries)
    if task.timeout_seconds:
        request["timeout_seconds"] = task.timeout_seconds
    return {**request, "tasks": [asked]}


def _code(task: DatabricksTask, values: JobValues) -> dict[str, Any]:
    if task.kind == "notebook":
        notebook = {"notebook_path": task.what, "source": "WORKSPACE"}
        return {"notebook_task": {**notebook, "base_parameters": widgets(task, values)}}
    if task.kind == "jar":
        return {"spark_jar_task": {"main_class_name": task.what, "parameters": arguments(values)}}
    path = task.what if values.directory is None else f"{values.directory}/{task.what}"
    script: dict[str, Any] = {"python_file": path, "parameters": arguments(values)}
    if path.startswith("/") and not path.startswith("/Volumes/"):
        script["source"] = "WORKSPACE"
    return {"spark_python_task": script}


def _environment(task: DatabricksTask, serverless: Serverless) -> dict[str, Any]:
    packages = [str(one.package) for one in task.libraries if isinstance(one, PyPiLibrary)]
    spec: dict[str, Any] = {"environment_version": serverless.environment_version}
    if packages:
        spec["dependencies"] = packages
    return {"environment_key": ENVIRONMENT_KEY, "spec": spec}


def _secret_settings(target: DatabricksCompute, values: JobValues) -> dict[str, str]:
    """Spark's settings that let a new cluster read the accounts; the cluster looks the secrets up itself."""
    found = {}
    for port in values.ports:
        if not (port.setting and port.secret):
            continue
        found[f"{_HADOOP}{port.setting}"] = f"{{{{secrets/{target.secret_scope}/{port.secret}}}}}"
        if port.setting.startswith(_SIGNATURE):
            host = port.setting.removeprefix(_SIGNATURE)
            found[f"{_HADOOP}fs.azure.account.auth.type.{host}"] = "SAS"
            found[f"{_HADOOP}fs.azure.sas.token.provider.type.{host}"] = _PROVIDER
    return found

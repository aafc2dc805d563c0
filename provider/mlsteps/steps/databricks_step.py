"""DatabricksStep: a step that runs a notebook, script or jar on Databricks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mlsteps.compute.databricks.databricks_compute import DatabricksCompute
from mlsteps.compute.databricks.task import DatabricksTask
from mlsteps.environment.databricks import (
    DatabricksCluster,
    EggLibrary,
    JarLibrary,
    MavenLibrary,
    PyPiLibrary,
    RCranLibrary,
)
from mlsteps.exceptions import StepDefinitionError
from mlsteps.steps.base import PipelineStep
from mlsteps.steps.databricks_checks import checked_task, code_arguments, refuse_shared_names
from mlsteps.steps.databricks_link import DatabricksRunLink
from mlsteps.steps.script_names import is_outside, pattern_of

if TYPE_CHECKING:
    from airflow.sdk import XComArg

    from mlsteps.compute import ComputeTarget
    from mlsteps.data import Datastore, PipelineParameter
    from mlsteps.environment import RunConfiguration
    from mlsteps.workspace import Workspace


class DatabricksStep(PipelineStep):
    """Runs a notebook, a Python script or a jar on a Databricks workspace; no worker waits for it.

    The code gets URLs of its data and reads and writes there itself: a notebook as widgets that are named
    like the inputs and outputs, a script or jar as arguments ``--<name> <url>`` after its own. It also gets
    ``AML_PARAMETER_<name>`` of each PipelineParameter. Values arrive as they are, whatever is in them.

    :param name: The step's name.
    :param inputs: Data that it reads.
    :param outputs: Data that it makes.
    :param existing_cluster_id: The cluster it runs on. Else a cluster is made for it alone:
    :param spark_version: Such as ``15.4.x-scala2.12``; default: the compute target's.
    :param node_type: Size of the machines; default: the compute target's.
    :param instance_pool_id: The pool to take machines from, instead of ``node_type``.
    :param num_workers: How many besides the driver; 0 is a single machine.
    :param min_workers: The least number of them, for a cluster that grows.
    :param max_workers: The greatest number of them, for a cluster that grows.
    :param spark_env_variables: Environment variables of its machines.
    :param spark_conf: Settings of Spark.
    :param init_scripts: Paths of scripts that its machines run first.
    :param cluster_log_dbfs_path: Where its logs are kept.
    :param notebook_path: The notebook, in the Databricks workspace.
    :param notebook_params: Further widgets of it, by name.
    :param python_script_path: A script where the cluster reads it: ``dbfs:/...``, a path of the workspace...
    :param python_script_params: Arguments of the script. A PipelineParameter stands for two of them, its
        name and its value, as in SDK v1.
    :param main_class_name: The class of a jar, which is one of ``jar_libraries``.
    :param jar_params: Its arguments, as for a script.
    :param python_script_name: A script of ``source_directory``, which is uploaded.
    :param source_directory: Default: the folder of the DAG file, else the working directory.
    :param hash_paths: Further files whose content counts for reuse.
    :param run_name: What the run is called in Databricks; no part of what decides about reuse.
    :param timeout_seconds: After which Databricks stops the run; default: no limit.
    :param runconfig: Libraries and cluster, in ``environment.databricks``, instead of the arguments here.
    :param maven_libraries, pypi_libraries, egg_libraries, jar_libraries, rcran_libraries: What is installed.
    :param compute_target: A DatabricksCompute, or its name in the workspace.
    :param allow_reuse: Whether an earlier result may stand for this step when nothing changed.
    :param version: Part of what decides whether something changed.
    :param permit_cluster_restart: Whether an existing cluster that is not running may be started for it.

    **Beyond SDK v1:**

    :param strict: Arguments that would be of no effect are errors; SDK v1 dropped them silently, and so does
        ``strict=False``.
    :param serverless: Run on Databricks' own machines, without a cluster.
    :param environment_version: Of those: which Python and packages they have.
    :param cluster_options: Further fields of a new cluster, as the Clusters API has them, such as
        ``{"policy_id": ..., "data_security_mode": "SINGLE_USER"}``.
    :param cluster_counts: What of a cluster is part of what decides about reuse: ``spark_version`` (default),
        ``node_type``, both or nothing.
    :param deferrable: Whether Airflow's triggerer waits; default: as the compute target says.

    Airflow's operator arguments are taken too. (SDK v1: ``azureml.pipeline.steps.DatabricksStep``.)
    """

    step_type: ClassVar[str] = "DatabricksStep"
    has_environment_of_its_own = True
    operator_extra_links = (*PipelineStep.operator_extra_links, DatabricksRunLink())

    databricks_task: DatabricksTask
    # Of the run's page, once it is known.
    run_page_url: str

    def __init__(
        self,
        name: str,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        existing_cluster_id: str | None = None,
        spark_version: str | None = None,
        node_type: str | None = None,
        instance_pool_id: str | None = None,
        num_workers: int | None = None,
        min_workers: int | None = None,
        max_workers: int | None = None,
        spark_env_variables: dict[str, str] | None = None,
        spark_conf: dict[str, str] | None = None,
        init_scripts: list[str] | None = None,
        cluster_log_dbfs_path: str | None = None,
        notebook_path: str | None = None,
        notebook_params: Mapping[str, Any] | None = None,
        python_script_path: str | None = None,
        python_script_params: Sequence[Any] | None = None,
        main_class_name: str | None = None,
        jar_params: Sequence[Any] | None = None,
        python_script_name: str | None = None,
        source_directory: str | os.PathLike[str] | None = None,
        hash_paths: Sequence[str] | None = None,
        run_name: str | None = None,
        timeout_seconds: int | None = None,
        runconfig: RunConfiguration | None = None,
        maven_libraries: Sequence[MavenLibrary] | None = None,
        pypi_libraries: Sequence[PyPiLibrary] | None = None,
        egg_libraries: Sequence[EggLibrary] | None = None,
        jar_libraries: Sequence[JarLibrary] | None = None,
        rcran_libraries: Sequence[RCranLibrary] | None = None,
        compute_target: ComputeTarget | str | PipelineParameter | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
        permit_cluster_restart: bool | None = None,
        *,
        strict: bool = True,
        serverless: bool = False,
        environment_version: str | None = None,
        cluster_options: Mapping[str, Any] | None = None,
        cluster_counts: Sequence[str] = ("spark_version",),
        deferrable: bool | None = None,
        source_files: Sequence[str] | None = None,
        on_reuse: str | None = None,
        reuse_max_age: timedelta | float | None = None,
        reuse_timeout: timedelta | float | None = None,
        workspace: Workspace | None = None,
        default_datastore: Datastore | None = None,
        upstream_outputs: Mapping[str, XComArg] | None = None,
        **kwargs: Any,
    ) -> None:
        given = {key: value for key, value in locals().items() if key not in ("self", "kwargs", "__class__")}
        cluster = DatabricksCluster(
            existing_cluster_id,
            spark_version,
            node_type,
            instance_pool_id,
            num_workers,
            min_workers,
            max_workers,
            spark_env_variables,
            spark_conf,
            init_scripts,
            cluster_log_dbfs_path,
            permit_cluster_restart,
        )
        task = checked_task(given, cluster)
        self.__dict__.update(databricks_task=task, run_page_url="")
        self._declare(
            name=name,
            inputs=inputs,
            outputs=outputs,
            arguments=code_arguments(task, given),
            compute_target=compute_target,
            source_directory=source_directory,
            allow_reuse=allow_reuse,
            version=version,
            hash_paths=hash_paths,
            source_files=source_files,
            on_reuse=on_reuse,
            reuse_max_age=reuse_max_age,
            reuse_timeout=reuse_timeout,
            workspace=workspace,
            default_datastore=default_datastore,
            upstream_outputs=upstream_outputs,
            **kwargs,
        )
        refuse_shared_names(task, self.input_ports, self.output_ports)

    def check_source(self, directory: Path) -> None:
        """Refuse a source directory without the script, where one is uploaded.

        :raises StepDefinitionError: the script is missing, or lies outside of the directory.
        """
        script = self.databricks_task.what
        if not self.takes_source:
            return
        if is_outside(script):
            raise StepDefinitionError(
                self.name,
                "python_script_name",
                f"{script!r} is not inside the source directory {str(directory)!r}",
                "Only that directory is uploaded: write the script's path relative to it.",
            )
        path = os.path.join(directory, script)
        if not os.path.isfile(path):
            raise StepDefinitionError(self.name, "python_script_name", f"script not found at {path!r}")

    @property
    def takes_source(self) -> bool:
        """Whether its source directory is uploaded: with ``python_script_name``."""
        return self.databricks_task.kind == "uploaded"

    def taken_along(self) -> tuple[str, ...]:
        """Patterns of the files that are uploaded, the script always among them."""
        return (*self.source_files, pattern_of(self.databricks_task.what)) if self.source_files else ()

    def command(self) -> tuple[str, ...]:
        """What is run, and the names of a notebook's parameters."""
        return self.databricks_task.command

    def resolve_compute_target(
        self, workspace: Workspace | None = None, values: Mapping[str, str] | None = None
    ) -> ComputeTarget:
        """The Databricks workspace, bound to what this step runs there.

        :raises StepDefinitionError: the compute target is something else.
        """
        target = super().resolve_compute_target(workspace, values)
        if isinstance(target, DatabricksCompute):
            return target.for_task(self.databricks_task, self._keep_page)
        raise StepDefinitionError(
            self.name,
            "compute_target",
            f"{target.name!r} is of type {target.kind!r}, and no Databricks workspace",
            f"Add one to workspace.yaml: compute_targets: {{dbx: {{type: {DatabricksCompute.kind}, "
            f"databricks_conn_id: ...}}}}",
        )

    def _keep_page(self, url: str) -> None:
        self.__dict__["run_page_url"] = url

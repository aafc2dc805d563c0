"""Libraries and clusters of Databricks jobs, as SDK v1 declares them (``azureml.core.databricks``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from mlsteps.environment.section import Section
from mlsteps.exceptions import UserErrorException


class _Library(Section):
    """What the kinds of libraries share: texts only."""

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            if item.name != "exclusions" and value is not None and not isinstance(value, str):
                # SDK v1 made an empty text of it.
                raise UserErrorException(
                    f"{type(self).__name__}: {item.name} is a text, not {type(value).__name__} {value!r}."
                )


@dataclass(repr=False)
class PyPiLibrary(_Library):
    """A Python package, such as ``scikit-learn==1.4.2`` (SDK v1 ``PyPiLibrary``).

    Args:
        package: as pip takes it.
        repo: the index to take it from; default: the cluster's.
    """

    package: str | None = None
    repo: str | None = None


@dataclass(repr=False)
class MavenLibrary(_Library):
    """A Maven package (SDK v1 ``MavenLibrary``).

    Args:
        coordinates: ``group:artifact:version``.
        repo: where to take it from; default: Maven Central and Spark Packages.
        exclusions: ``group:artifact`` of what it depends on and shall not bring.
    """

    coordinates: str | None = None
    repo: str | None = None
    exclusions: list[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        given: Any = self.exclusions
        if given is None:
            return
        if not isinstance(given, (list, tuple)) or not all(isinstance(item, str) for item in given):
            raise UserErrorException(f"MavenLibrary: exclusions is a list of texts, not {given!r}.")
        self.exclusions = list(given)


@dataclass(repr=False)
class EggLibrary(_Library):
    """An egg on storage that the cluster reads (SDK v1 ``EggLibrary``). Runtimes from 14.0 on take none."""

    library: str | None = None


@dataclass(repr=False)
class JarLibrary(_Library):
    """A jar on storage that the cluster reads, such as ``dbfs:/libs/a.jar`` (SDK v1 ``JarLibrary``)."""

    library: str | None = None


@dataclass(repr=False)
class RCranLibrary(_Library):
    """An R package (SDK v1 ``RCranLibrary``).

    Args:
        package: its name.
        repo: the CRAN repository; default: the cluster's.
    """

    package: str | None = None
    repo: str | None = None


Library = PyPiLibrary | MavenLibrary | EggLibrary | JarLibrary | RCranLibrary

LIBRARY_KINDS: Mapping[str, type[_Library]] = {
    "maven_libraries": MavenLibrary,
    "pypi_libraries": PyPiLibrary,
    "egg_libraries": EggLibrary,
    "jar_libraries": JarLibrary,
    "rcran_libraries": RCranLibrary,
}
"""The arguments that libraries are given as, each with its class."""


class ClusterProblem(NamedTuple):
    """What is wrong with a cluster: the argument, the problem and what to do."""

    argument: str
    problem: str
    fix: str = ""


@dataclass(repr=False)
class DatabricksCluster(Section):
    """The cluster of a Databricks job: one that exists, or one for this job alone (SDK v1 name).

    Args:
        existing_cluster_id: of the cluster that exists; nothing else is given then, but whether it may be
            started.
        spark_version: such as ``15.4.x-scala2.12``; default: the compute target's.
        node_type: size of the machines; default: the compute target's.
        instance_pool_id: the pool to take machines from, instead of ``node_type``.
        num_workers: how many machines besides the driver; 0 is a single machine.
        min_workers, max_workers: the same as a range, for a cluster that grows and shrinks.
        spark_env_variables: environment variables of driver and workers.
        spark_conf: Spark's settings.
        init_scripts: paths of scripts that run on each machine before Spark starts.
        cluster_log_dbfs_path: where logs are kept, ``dbfs:/...`` or ``/Volumes/...``.
        permit_cluster_restart: whether a cluster that exists may be started for the job.
    """

    existing_cluster_id: str | None = None
    spark_version: str | None = None
    node_type: str | None = None
    instance_pool_id: str | None = None
    num_workers: int | None = None
    min_workers: int | None = None
    max_workers: int | None = None
    spark_env_variables: dict[str, str] | None = None
    spark_conf: dict[str, str] | None = None
    init_scripts: list[str] | None = None
    cluster_log_dbfs_path: str | None = None
    permit_cluster_restart: bool | None = None

    def validate(self) -> None:
        """Refuse what no cluster can be.

        Raises:
            UserErrorException: naming the argument.
        """
        found = cluster_problem(self)
        if found is not None:
            text = f"DatabricksCluster, argument {found.argument!r}: {found.problem}."
            raise UserErrorException(f"{text} {found.fix}".rstrip())


NEW_CLUSTER_ARGUMENTS = tuple(
    item.name
    for item in fields(DatabricksCluster)
    if item.name not in ("existing_cluster_id", "permit_cluster_restart")
)
"""Those that say what a new cluster is."""

_TEXTS = ("existing_cluster_id", "spark_version", "node_type", "instance_pool_id", "cluster_log_dbfs_path")
_NUMBERS = ("num_workers", "min_workers", "max_workers")
_MAPPINGS = ("spark_env_variables", "spark_conf")
_LOG_PLACES = ("dbfs:/", "/Volumes/", "s3://")


def cluster_problem(cluster: DatabricksCluster) -> ClusterProblem | None:
    """What is wrong with a cluster; None if it can be had."""
    return _wrong_type(cluster) or _wrong_together(cluster) or _wrong_place(cluster)


def new_cluster_arguments(cluster: DatabricksCluster) -> list[str]:
    """The arguments that were given and say what a new cluster is."""
    return [name for name in NEW_CLUSTER_ARGUMENTS if getattr(cluster, name) is not None]


def init_script_kind(path: str) -> str | None:
    """What the API calls the storage that an init script lies on; None if it is none that it knows."""
    if path.startswith("/Volumes/"):
        return "volumes"
    for kind in ("dbfs", "abfss", "s3", "gs", "file"):
        if path.startswith(f"{kind}:/"):
            return "gcs" if kind == "gs" else kind
    return "workspace" if path.startswith("/") else None


def _wrong_type(cluster: DatabricksCluster) -> ClusterProblem | None:
    for name in _TEXTS:
        value = getattr(cluster, name)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            return ClusterProblem(name, f"expected a text, got {value!r}")
    for name in _NUMBERS:
        value = getattr(cluster, name)
        if value is not None and (type(value) is not int or value < 0):
            return ClusterProblem(name, f"expected a number of machines, got {value!r}")
    for name in _MAPPINGS:
        value = getattr(cluster, name)
        if value is not None and not _is_of_texts(value):
            return ClusterProblem(
                name, f"expected a dict of texts, got {type(value).__name__}", "Write numbers as texts."
            )
    scripts: Any = cluster.init_scripts
    if scripts is not None and (
        not isinstance(scripts, (list, tuple)) or not all(isinstance(path, str) for path in scripts)
    ):
        return ClusterProblem("init_scripts", f"expected a list of paths, got {scripts!r}")
    restart: Any = cluster.permit_cluster_restart
    if restart is not None and not isinstance(restart, bool):
        return ClusterProblem("permit_cluster_restart", f"expected True or False, got {restart!r}")
    return None


def _wrong_together(cluster: DatabricksCluster) -> ClusterProblem | None:
    new = new_cluster_arguments(cluster)
    if cluster.existing_cluster_id is not None:
        if not new:
            return None
        problem = f"cluster {cluster.existing_cluster_id!r} exists, and is not changed by {', '.join(new)}"
        return ClusterProblem(new[0], problem, "Leave them out, or leave existing_cluster_id out.")
    if cluster.permit_cluster_restart is not None:
        return ClusterProblem(
            "permit_cluster_restart", "it is for existing_cluster_id only, and none is given", "Leave it out."
        )
    if cluster.instance_pool_id is not None and cluster.node_type is not None:
        return ClusterProblem("node_type", "the machines are those of instance_pool_id", "Give one of them.")
    fixed = cluster.num_workers is not None
    ends = [name for name in ("min_workers", "max_workers") if getattr(cluster, name) is not None]
    if fixed and ends:
        return ClusterProblem("num_workers", f"{' and '.join(ends)} is given too", "Give one or the other.")
    if len(ends) == 1:
        other = {"min_workers": "max_workers", "max_workers": "min_workers"}[ends[0]]
        return ClusterProblem(other, f"it is missing beside {ends[0]}")
    if not fixed and not ends:
        return ClusterProblem(
            "num_workers", "nothing says how many machines", "Give num_workers, or existing_cluster_id."
        )
    if ends and (cluster.min_workers or 0) > (cluster.max_workers or 0):
        return ClusterProblem(
            "min_workers", f"{cluster.min_workers} is more than max_workers, {cluster.max_workers}"
        )
    return None


def _wrong_place(cluster: DatabricksCluster) -> ClusterProblem | None:
    for path in cluster.init_scripts or ():
        if init_script_kind(path) is None:
            return ClusterProblem(
                "init_scripts",
                f"{path!r} is no path that a cluster reads",
                "Give /Volumes/..., a workspace path such as /Shared/..., dbfs:/... or abfss://...",
            )
    logs = cluster.cluster_log_dbfs_path
    if logs is not None and not logs.startswith(_LOG_PLACES):
        return ClusterProblem(
            "cluster_log_dbfs_path", f"{logs!r} is no path for logs", "Give dbfs:/... or /Volumes/..."
        )
    return None


def _is_of_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(part, str) for pair in value.items() for part in pair
    )

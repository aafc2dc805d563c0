"""What a step wants run on Databricks, as its declaration says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mlsteps.environment.databricks import DatabricksCluster, Library

Kind = Literal["notebook", "script", "uploaded", "jar"]


@dataclass(frozen=True)
class Serverless:
    """Databricks' own machines, instead of a cluster.

    :param environment_version: Which Python and packages they have.
    """

    environment_version: str


@dataclass(frozen=True)
class DatabricksTask:
    """One task of a run on Databricks.

    :param step: The step's name, for errors.
    :param kind: What is run: a ``notebook`` of the workspace, a ``script`` that lies where the cluster reads
        it, one that is ``uploaded`` with its folder, or the main class of a ``jar``.
    :param what: The path of the notebook or script, or the name of the class.
    :param names: Of a notebook's parameters; their values are the job's arguments, in this order.
    :param cluster: Where it runs.
    :param cluster_counts: What of a cluster counts for reuse: ``spark_version``, ``node_type``.
    :param run_name: What the run is called in the workspace.
    :param timeout_seconds: After which Databricks stops it; None or 0 is no limit.
    :param deferrable: Whether Airflow's triggerer waits; None leaves it to the compute target.
    """

    step: str
    kind: Kind
    what: str
    cluster: DatabricksCluster | Serverless
    names: tuple[str, ...] = ()
    libraries: tuple[Library, ...] = ()
    cluster_counts: tuple[str, ...] = ("spark_version",)
    run_name: str | None = None
    timeout_seconds: int | None = None
    deferrable: bool | None = None
    cluster_options: dict[str, object] = field(default_factory=dict)

    @property
    def command(self) -> tuple[str, ...]:
        """What stands before the values in the job's command: in records, and for reuse."""
        return (self.kind, self.what, *(f"{name}=" for name in self.names))

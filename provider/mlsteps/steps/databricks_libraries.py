"""Libraries of a DatabricksStep, and what its run configuration says: read, and refused where they clash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from mlsteps.compute.databricks.task import Kind, Serverless
from mlsteps.environment import RunConfiguration
from mlsteps.environment.databricks import (
    LIBRARY_KINDS,
    DatabricksCluster,
    JarLibrary,
    Library,
    PyPiLibrary,
)
from mlsteps.exceptions import StepDefinitionError

NOT_STRICT = "SDK v1 dropped it silently; strict=False does so."


def from_runconfig(
    step: str, given: Mapping[str, Any], cluster: DatabricksCluster
) -> tuple[tuple[Library, ...], DatabricksCluster | None, int | None]:
    """Libraries, from whichever place has them, and cluster and time limit of the run configuration.

    :raises StepDefinitionError: something is said in both places, or cannot be used.
    """
    runconfig = given["runconfig"]
    direct = [argument for argument in LIBRARY_KINDS if given[argument] is not None]
    if runconfig is None:
        return _libraries(step, given), None, None
    if not isinstance(runconfig, RunConfiguration):
        raise StepDefinitionError(
            step, "runconfig", f"expected a RunConfiguration, got {type(runconfig).__name__}"
        )
    if direct:
        raise StepDefinitionError(
            step,
            direct[0],
            "libraries are the runconfig's where one is given",
            "Put them into runconfig.environment.databricks, or leave runconfig out.",
        )
    section = runconfig.environment.databricks
    said: Any = section.cluster
    if said is not None:
        if not isinstance(said, DatabricksCluster):
            raise StepDefinitionError(
                step, "runconfig", f"its cluster is no DatabricksCluster, but {type(said).__name__}"
            )
        twice = [item.name for item in fields(cluster) if getattr(cluster, item.name) is not None]
        if twice:
            raise StepDefinitionError(
                step, twice[0], "the cluster is the runconfig's, which has one", "Say it in one place."
            )
    if runconfig.environment.environment_variables and given["strict"]:
        raise StepDefinitionError(
            step,
            "runconfig",
            "its environment variables do not get to Databricks",
            f"Give spark_env_variables, or parameters. {NOT_STRICT}",
        )
    seconds = runconfig.max_run_duration_seconds
    return _libraries(step, vars(section)), said, int(seconds) if seconds else None


def _libraries(step: str, given: Mapping[str, Any]) -> tuple[Library, ...]:
    found: list[Any] = []
    for argument, kind in LIBRARY_KINDS.items():
        values = given[argument]
        if values is None:
            continue
        if not isinstance(values, (list, tuple)):
            raise StepDefinitionError(
                step, argument, f"expected a list, got {type(values).__name__}", "Put it in a list."
            )
        for value in values:
            if not isinstance(value, kind):
                raise StepDefinitionError(
                    step, argument, f"expected {kind.__name__}, got {type(value).__name__} {value!r}"
                )
            first = fields(value)[0].name  # type: ignore[arg-type]
            text = getattr(value, first)
            if not isinstance(text, str) or not text.strip():
                raise StepDefinitionError(step, argument, f"{value!r} has no {first}")
            found.append(value)
    return tuple(found)


def check_libraries(
    step: str,
    kind: Kind,
    libraries: tuple[Library, ...],
    cluster: DatabricksCluster | Serverless,
    strict: bool,
) -> None:
    """Refuse libraries that the code lacks, or that it cannot be given.

    :raises StepDefinitionError: naming the argument.
    """
    if kind == "jar" and strict and not any(isinstance(one, JarLibrary) for one in libraries):
        raise StepDefinitionError(
            step,
            "jar_libraries",
            "no jar is given that could hold main_class_name",
            "List it, or give strict=False if the cluster has it.",
        )
    if not isinstance(cluster, Serverless):
        return
    if kind == "jar":
        raise StepDefinitionError(
            step, "serverless", "jars are run on clusters only", "Give num_workers, or existing_cluster_id."
        )
    for one in libraries:
        if kind == "notebook" or not isinstance(one, PyPiLibrary) or one.repo:
            argument = next(name for name, known in LIBRARY_KINDS.items() if isinstance(one, known))
            fix = "Write %pip install into it." if kind == "notebook" else "Use a cluster."
            raise StepDefinitionError(
                step, argument, f"a {kind} with serverless=True cannot be given {one!r}", fix
            )

"""What a DatabricksStep refuses when it is declared, with errors that name the step and the argument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from mlsteps.compute.databricks.parameters import RUN_PATH
from mlsteps.compute.databricks.task import DatabricksTask, Kind, Serverless
from mlsteps.data import PipelineParameter
from mlsteps.environment.databricks import (
    DatabricksCluster,
    cluster_problem,
    new_cluster_arguments,
)
from mlsteps.exceptions import StepDefinitionError
from mlsteps.run.protocol import RUN_PLACE
from mlsteps.steps.arguments import is_filled_in_later
from mlsteps.steps.checks import checked_name
from mlsteps.steps.databricks_libraries import NOT_STRICT, check_libraries, from_runconfig
from mlsteps.steps.databricks_values import flag_of, seconds_of, text_of
from mlsteps.steps.ports import InputPort, OutputPort
from mlsteps.steps.script_names import with_slashes

ENVIRONMENT_VERSION = "3"

_CODE: Mapping[str, Kind] = {
    "notebook_path": "notebook",
    "python_script_path": "script",
    "python_script_name": "uploaded",
    "main_class_name": "jar",
}
# Arguments that are for some kinds of code only.
_FOR: Mapping[str, tuple[Kind, ...]] = {
    "notebook_params": ("notebook",),
    "python_script_params": ("script", "uploaded"),
    "jar_params": ("jar",),
    "source_files": ("uploaded",),
}
_COUNTED = ("spark_version", "node_type")


def checked_task(given: Mapping[str, Any], cluster: DatabricksCluster) -> DatabricksTask:
    """What a step is to run, from all arguments of its constructor.

    :param cluster: Those of them that say what cluster.
    :raises StepDefinitionError: naming the argument.
    """
    step = checked_name(given["name"])
    kind, what = _code(step, given)
    if given["compute_target"] is None:
        raise StepDefinitionError(
            step, "compute_target", "it is missing", "Give a DatabricksCompute, or its name in the workspace."
        )
    strict = bool(given["strict"])
    if strict:
        _refuse_other_code(step, kind, given)
    libraries, said, seconds = from_runconfig(step, given, cluster)
    task_cluster = _cluster(step, given, replace(said or cluster), strict)
    check_libraries(step, kind, libraries, task_cluster, strict)
    return DatabricksTask(
        step=step,
        kind=kind,
        what=with_slashes(what) if kind == "uploaded" else what,
        cluster=task_cluster,
        names=_names(step, given) if kind == "notebook" else (),
        libraries=libraries,
        cluster_counts=_counts(step, given["cluster_counts"]),
        run_name=text_of(step, "run_name", given["run_name"]),
        timeout_seconds=seconds_of(step, given["timeout_seconds"]) or seconds,
        deferrable=flag_of(step, "deferrable", given["deferrable"]),
        cluster_options=_options(step, given["cluster_options"], task_cluster),
    )


def code_arguments(task: DatabricksTask, given: Mapping[str, Any]) -> list[Any]:
    """The values that the code is given, each an argument of the step.

    :raises StepDefinitionError: they are no list, or no dict for a notebook.
    """
    if task.kind == "notebook":
        return list((given["notebook_params"] or {}).values())
    argument = "jar_params" if task.kind == "jar" else "python_script_params"
    values = given[argument]
    if values is None:
        return []
    if isinstance(values, (set, frozenset)):  # public examples of SDK v1 have sets; the order is never theirs
        values = sorted(values, key=str)
    if not isinstance(values, (list, tuple)):
        raise StepDefinitionError(
            task.step,
            argument,
            f"expected a list, got {type(values).__name__} {values!r}",
            "Put it in a list.",
        )
    found: list[Any] = []
    for value in values:
        found += [value.name, value] if isinstance(value, PipelineParameter) else [value]
    return found


def refuse_shared_names(
    task: DatabricksTask, inputs: Sequence[InputPort], outputs: Sequence[OutputPort]
) -> None:
    """Refuse one name for two things: the code is told everything by name.

    :raises StepDefinitionError: naming it.
    """
    made = {port.name for port in outputs}
    for port in inputs:
        # An input that shares its name with an output was renamed, as scripts elsewhere have it.
        if port.name.startswith("INPUT_") and port.name.removeprefix("INPUT_") in made:
            name = port.name.removeprefix("INPUT_")
            raise StepDefinitionError(
                task.step, "inputs", f"an output is called {name!r} too", "Rename one: as_input('other')."
            )
    for argument, names in (
        ("inputs", [port.name for port in inputs]),
        ("outputs", list(made)),
        ("notebook_params", list(task.names)),
    ):
        if reserved := {RUN_PATH, RUN_PLACE}.intersection(names):
            raise StepDefinitionError(
                task.step, argument, f"by {min(reserved)!r} the code finds its run", "Choose another name."
            )
    taken = [name for name in task.names if name in made | {port.name for port in inputs}]
    if taken:
        raise StepDefinitionError(
            task.step, "notebook_params", f"{taken[0]!r} is the name of an input or output", "Rename one."
        )


def _code(step: str, given: Mapping[str, Any]) -> tuple[Kind, str]:
    named = [argument for argument in _CODE if given[argument] is not None]
    if len(named) != 1:
        problem = f"{' and '.join(named)} are given" if named else "there is nothing to run"
        raise StepDefinitionError(
            step,
            named[1] if named else "notebook_path",
            problem,
            "Exactly one of notebook_path, python_script_path, python_script_name or main_class_name is "
            "required.",
        )
    (argument,) = named
    what = text_of(step, argument, given[argument])
    assert what is not None
    if argument == "notebook_path" and not what.startswith("/"):
        raise StepDefinitionError(
            step, argument, f"{what!r} is no path of a workspace", "Write it from the root: /Shared/..."
        )
    return _CODE[argument], what


def _refuse_other_code(step: str, kind: Kind, given: Mapping[str, Any]) -> None:
    for argument, kinds in _FOR.items():
        if given[argument] is not None and kind not in kinds:
            wanted = " or ".join(name for name, one in _CODE.items() if one in kinds)
            raise StepDefinitionError(step, argument, f"it is for {wanted}, which is not given", NOT_STRICT)


def _cluster(
    step: str, given: Mapping[str, Any], cluster: DatabricksCluster, strict: bool
) -> DatabricksCluster | Serverless:
    if flag_of(step, "serverless", given["serverless"]):
        return _serverless(step, given, cluster)
    if given["environment_version"] is not None and strict:
        raise StepDefinitionError(
            step, "environment_version", "it is for serverless=True only", "Leave it out."
        )
    if cluster.existing_cluster_id is not None and not strict:
        cluster = DatabricksCluster(
            cluster.existing_cluster_id, permit_cluster_restart=cluster.permit_cluster_restart
        )
    problem = cluster_problem(cluster)
    if problem is None:
        return cluster
    dropped = cluster.existing_cluster_id is not None and problem.argument in new_cluster_arguments(cluster)
    fix = f"{problem.fix} {NOT_STRICT}" if dropped and strict else problem.fix
    raise StepDefinitionError(step, problem.argument, problem.problem, fix)


def _serverless(step: str, given: Mapping[str, Any], cluster: DatabricksCluster) -> Serverless:
    said = [item.name for item in fields(cluster) if getattr(cluster, item.name) is not None]
    if said:
        raise StepDefinitionError(
            step, said[0], "a step with serverless=True has no cluster", "Leave one of the two out."
        )
    version = text_of(step, "environment_version", given["environment_version"])
    return Serverless(version or ENVIRONMENT_VERSION)


def _names(step: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    values: Any = given["notebook_params"]
    if values is None:
        return ()
    if not isinstance(values, Mapping):
        raise StepDefinitionError(
            step,
            "notebook_params",
            f"expected a dict, got {type(values).__name__} {values!r}",
            "Write {'name': value}.",
        )
    for name, value in values.items():
        if not isinstance(name, str) or not name.strip():
            raise StepDefinitionError(step, "notebook_params", f"{name!r} is no name of a widget")
        if isinstance(value, (dict, list, set, tuple)) and not is_filled_in_later(value):
            raise StepDefinitionError(
                step, "notebook_params", f"the value of {name!r} is a {type(value).__name__}", "Pass text."
            )
    return tuple(values)


def _counts(step: str, given: object) -> tuple[str, ...]:
    if isinstance(given, Iterable) and not isinstance(given, str):
        counted = tuple(given)
        if all(one in _COUNTED for one in counted):
            return tuple(name for name in _COUNTED if name in counted)
    raise StepDefinitionError(
        step, "cluster_counts", f"expected a list of 'spark_version' and 'node_type', got {given!r}"
    )


def _options(step: str, given: Any, cluster: DatabricksCluster | Serverless) -> dict[str, object]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        raise StepDefinitionError(step, "cluster_options", f"expected a dict, got {type(given).__name__}")
    if isinstance(cluster, Serverless) or cluster.existing_cluster_id is not None:
        raise StepDefinitionError(step, "cluster_options", "it is for new clusters only", "Leave it out.")
    return dict(given)

"""Which compute target a step runs on, and in which Airflow pool; one place for steps and pipelines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mlsteps.compat import conf
from mlsteps.compute import ComputeTarget
from mlsteps.exceptions import StepDefinitionError
from mlsteps.steps.parameter_texts import holds_parameter

if TYPE_CHECKING:
    from mlsteps.steps.base import PipelineStep
    from mlsteps.workspace import Workspace

_DEFAULT_POOL = "default_pool"


def compute_target_called(step: PipelineStep, name: str, workspace: Workspace) -> ComputeTarget:
    """The workspace's compute target of this name. May look a connection up.

    :raises StepDefinitionError: the workspace knows none.
    """
    found = workspace.find_compute_target(name)
    if found is None:
        raise StepDefinitionError(
            step.name,
            "compute_target",
            f"{name!r} is not a compute target of {workspace.config.source}; "
            f"it knows {', '.join(sorted(workspace.compute_targets))}",
            f"Add it to workspace.yaml: compute_targets: {{{name}: {{type: local}}}}",
        )
    return found


def check_compute_name(step: PipelineStep, workspace: Workspace) -> None:
    """Refuse an unknown name, if that can be known without a connection.

    :raises StepDefinitionError: the workspace knows no such compute target.
    """
    if not step.names_compute_target or not workspace.known_without_lookup():
        return
    name = step.compute_target_in()
    if name in workspace.config.compute_targets or workspace.registry_known_without_lookup():
        step.resolve_compute_target(workspace)


def checked_compute(step: str, compute_target: object) -> ComputeTarget | str | None:
    """The compute target that a step was given.

    :raises StepDefinitionError: it is neither one nor a name.
    """
    if isinstance(compute_target, tuple) and compute_target and isinstance(compute_target[0], str):
        compute_target = compute_target[0]  # SDK v1's (name, type)
    if compute_target is None or isinstance(compute_target, (ComputeTarget, str)):
        return compute_target
    raise StepDefinitionError(
        step,
        "compute_target",
        f"expected a compute target or its name, got {type(compute_target).__name__}",
        "Use LocalCompute(), or a name of the workspace's.",
    )


def name_of_target(declared: ComputeTarget | str | None, run_configuration: object) -> str:
    """The name of a compute target, as it was given; empty for the workspace's default one."""
    if isinstance(declared, ComputeTarget):
        return declared.name
    target = getattr(run_configuration, "target", None)
    return declared or (target if isinstance(target, str) else "")


def take_pool(step: PipelineStep) -> None:
    """Put a step into the pool that holds its compute target to its limit, if Airflow is told to have pools.

    Told by names only, with no lookup. A step that was given a pool keeps it, and one on the workspace's
    default compute target stays where it is.
    """
    if step.pool == _DEFAULT_POOL and step.runs_code:
        name = name_of_target(step.compute_target, step.run_configuration)
        step.pool = pool_for(step.compute_target, name, step.effective_workspace) or step.pool


def pool_for(declared: object, name: str, workspace: Callable[[], Workspace]) -> str | None:
    """The pool of a compute target; None where it has none.

    :param declared: The target, where it was given and not named.
    :param workspace: Finds the step's own.
    """
    # With a parameter in the name, what holds the target to its limit is known when it is too late to queue.
    if not name or holds_parameter(name) or not conf.getboolean("mlsteps", "compute_pools", fallback=False):
        return None
    if isinstance(declared, ComputeTarget):
        return declared.workspace.pool_name(name) if declared.workspace is not None else None
    return workspace().pool_name(name)

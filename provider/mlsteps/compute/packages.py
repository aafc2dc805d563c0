"""What steps get that ask for no environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from mlsteps.environment import EnvironmentPlan


def checked_packages(where: str, packages: object) -> tuple[str, ...]:
    """pip requirements from a setting.

    :raises ComputeTargetException: it is no list of texts.
    """
    if isinstance(packages, (list, tuple)) and all(isinstance(one, str) and one.strip() for one in packages):
        return tuple(packages)
    raise ComputeTargetException(
        f"{where}: packages is a list of pip requirements, such as ['pandas>=2'], got {packages!r}."
    )


def with_packages(plan: EnvironmentPlan, packages: Sequence[str]) -> EnvironmentPlan:
    """``plan``, or an environment of ``packages`` where nothing is asked for."""
    from mlsteps.environment import CondaDependencies, EnvironmentKind, plan_environment

    if plan.kind is not EnvironmentKind.WORKER or not packages:
        return plan
    dependencies = CondaDependencies()
    for package in packages:
        dependencies.add_pip_package(package)
    return replace(plan_environment(dependencies), environment_variables=plan.environment_variables)

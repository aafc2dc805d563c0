"""``python_for``: the interpreter that a compute target without containers runs a step's script with."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from mlsteps.environment.lock import EnvironmentLock
from mlsteps.environment.plan import EnvironmentKind, EnvironmentPlan, EnvironmentSource, plan_environment
from mlsteps.environment.resolution import is_left_out
from mlsteps.environment.venv import VirtualEnvironments
from mlsteps.exceptions import RunConfigurationException

_log = logging.getLogger(__name__)


def python_for(
    source: EnvironmentPlan | EnvironmentSource,
    environments: VirtualEnvironments,
    on_line: Callable[[str], None] | None = None,
    lock: EnvironmentLock | None = None,
) -> Path:
    """Return the interpreter for ``source``, building its virtual environment if it asks for one.

    An environment of packages *and* an image gives the packages here, and says so: the same pipeline runs
    with the image on a container compute.

    Args:
        source: a plan, or what one is made from.
        environments: where virtual environments live.
        on_line: gets notes and the installer's output; by default the log.
        lock: what the packages of ``source`` were resolved to, if they were.

    Raises:
        RunConfigurationException: it is a container image only, or the interpreter that is named is not
            there.
        EnvironmentBuildError: the virtual environment could not be built.
        UserErrorException: the packages or files of ``source`` are not usable.
    """
    tell = on_line or _log.info
    plan = source if isinstance(source, EnvironmentPlan) else plan_environment(source)
    for note in plan.notes:
        if lock is None or not lock.conda or not is_left_out(note):
            tell(note)
    if plan.kind is EnvironmentKind.INTERPRETER:
        return _named_interpreter(str(plan.interpreter))
    if plan.kind is EnvironmentKind.CONTAINER:
        image = plan.image or "a Dockerfile"
        if plan.spec is None:
            raise RunConfigurationException(
                f"The environment is a container image ({image}), and this compute target runs processes. "
                "Use a compute target that runs containers, or list the packages that the script needs."
            )
        tell(f"This compute target runs processes: {image} is not used, only the packages are installed.")
    if plan.spec is None:
        return Path(sys.executable)
    return environments.get_or_build(plan.spec, tell, plan.secrets, lock)


def _named_interpreter(name: str) -> Path:
    found = shutil.which(str(Path(name).expanduser()))
    if found is None:
        raise RunConfigurationException(
            f"interpreter_path {name!r} is not an executable on this machine. Install it there, or leave "
            "user_managed_dependencies unset and list the packages instead."
        )
    return Path(found).absolute()

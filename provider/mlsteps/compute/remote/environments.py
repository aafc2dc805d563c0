"""The interpreter that runs a script on another machine, and what it has."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.compute.remote.machine import Machine, ThereFailed
from mlsteps.environment import EnvironmentKind, EnvironmentLock, EnvironmentPlan
from mlsteps.environment.identity import packages_listed
from mlsteps.environment.installer import Installer, requirements_input
from mlsteps.environment.interpreters import Interpreter
from mlsteps.exceptions import ComputeTargetException, EnvironmentBuildError

if TYPE_CHECKING:
    from mlsteps.environment.spec import PythonEnvironmentSpec


def check_plan(where: str, plan: EnvironmentPlan) -> None:
    """Refuse what needs containers.

    :raises ComputeTargetException: it does.
    """
    if plan.kind is EnvironmentKind.CONTAINER:
        raise ComputeTargetException(
            f"{where}: the step's environment is a container image, and scripts there run without. "
            f"Use a compute target of type docker, or an environment of packages."
        )


def interpreter_identity(machine: Machine, interpreter: str | None) -> Mapping[str, Any]:
    """Of an interpreter that stands there: its minor version and packages.

    :param interpreter: None is the target's own.
    """
    path = machine.expand(interpreter) if interpreter else machine.facts["python"]
    try:
        found = machine.ask("packages", path)
    except ThereFailed as error:
        raise ComputeTargetException(f"The interpreter {path!r} does not run there: {error}") from None
    kind = EnvironmentKind.INTERPRETER.value
    return {"kind": kind, "python": found["minor"], "packages": packages_listed(found["listed"])}


def python_there(
    machine: Machine,
    plan: EnvironmentPlan,
    lock: EnvironmentLock | None,
    tell: Callable[[str], None],
    stopped: Callable[[], bool],
) -> str:
    """The path there of the interpreter for a script; a virtual environment is made unless it is there.

    :raises EnvironmentBuildError: it cannot be made; the text holds the end of the installer's output.
    """
    if plan.interpreter:
        return machine.expand(plan.interpreter)
    if plan.spec is None:
        return str(machine.facts["python"])
    spec = lock.locked(plan.spec) if lock is not None else plan.spec
    minor = lock.python if lock is not None else machine.facts["minor"]
    name = lock.digest if lock is not None else spec.spec_hash
    folder = f"{machine.work_directory}/environments/{name[:32]}-py{minor}"
    wanted, uv = machine.probe(minor)["wanted"], machine.facts["uv"]
    if wanted is None and uv is None:
        raise EnvironmentBuildError(
            f"{plan.spec} needs Python {minor}, and the machine has neither python{minor} nor uv. Install "
            f"one of them there, or ask for Python {machine.facts['minor']}."
        )

    def told(line: str) -> None:
        tell(plan.secrets.mask(line))

    asked = _commands(Installer(uv), wanted or minor, folder, spec, lock is not None)
    asked["given"] = plan.secrets.reveal_all(requirements_input(spec.requirements, spec.options))
    try:
        machine.ask(
            "environment",
            folder,
            given=json.dumps(asked).encode() + b"\n",
            on_line=told,
            stopped=stopped,
            stays_open=True,
        )
    except ThereFailed as error:
        raise EnvironmentBuildError(
            f"{plan.spec} cannot be made there: {plan.secrets.mask(str(error))}"
        ) from None
    return f"{folder}/bin/python"


def _commands(
    installer: Installer, python: str, folder: str, spec: PythonEnvironmentSpec, locked: bool
) -> dict[str, Any]:
    path = Path(folder)
    commands = [installer.create_command(Interpreter(Path(python), (0, 0, 0), "", ""), path)]
    if spec.requirements:
        commands.append(installer.install_command(path / "bin/python", spec.options, locked))
    return {"commands": commands}

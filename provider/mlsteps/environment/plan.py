"""Decides what a step runs in: the worker's interpreter, a named one, a virtual environment, a container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from mlsteps.environment.build_context import DockerBuildContext
from mlsteps.environment.conda_dependencies import CondaDependencies
from mlsteps.environment.environment import Environment
from mlsteps.environment.image_context import dockerfile_text
from mlsteps.environment.images import is_plain_base_image
from mlsteps.environment.redaction import UrlSecrets
from mlsteps.environment.resolution import ResolvedPython, python_spec
from mlsteps.environment.run_configuration import RunConfiguration
from mlsteps.environment.sections import ContainerRegistry
from mlsteps.environment.spec import PythonEnvironmentSpec
from mlsteps.exceptions import RunConfigurationException

EnvironmentSource = RunConfiguration | Environment | CondaDependencies | None
"""What a step may be given."""

# SDK v1's default: "whatever python there is", which on a worker is the worker's own
_ANY_PYTHON = frozenset({"", "python", "python3"})


class EnvironmentKind(str, Enum):
    """What a script runs in."""

    WORKER = "worker's interpreter"
    INTERPRETER = "explicit interpreter"
    VIRTUALENV = "virtual environment"
    CONTAINER = "container image"


@dataclass(frozen=True)
class EnvironmentPlan:
    """The decision for one environment, the same on every machine.

    Args:
        kind: what the script runs in.
        interpreter: the path or name of the interpreter that is named (``INTERPRETER``).
        spec: what to install: into a virtual environment (``VIRTUALENV``), or on top of the image
            (``CONTAINER``; ``None`` means the image is used as it is).
        image: the container image (``CONTAINER``).
        dockerfile: the text of the Dockerfile that makes the image, where no image is named (``CONTAINER``).
        build_context: the folder that the image is made from, where neither is given (``CONTAINER``).
        registry: where the image is and who may fetch it; never shown.
        environment_variables: to set for the script.
        notes: what was left out and why, for the task's log.
        secrets: credentials of the package indexes; for the installer, never shown.
    """

    kind: EnvironmentKind
    interpreter: str | None = None
    spec: PythonEnvironmentSpec | None = None
    image: str | None = None
    dockerfile: str | None = None
    environment_variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
    secrets: UrlSecrets = field(default_factory=UrlSecrets, repr=False, compare=False)
    build_context: DockerBuildContext | None = None
    registry: ContainerRegistry | None = field(default=None, repr=False, compare=False)


def plan_environment(source: EnvironmentSource) -> EnvironmentPlan:
    """Return what ``source`` asks for. Reads the conda or requirements file behind it, if there is one.

    - an image other than Azure ML's empty base images, a Dockerfile or a build context: a container;
    - ``user_managed_dependencies`` with an ``interpreter_path``: that interpreter (``python`` is the worker's
    own);
    - a package or a Python version: a virtual environment;
    - nothing of these: the worker's own interpreter.

    Raises:
        UserErrorException: a package, version or file is not usable.
        RunConfigurationException: ``source`` is of another type.
    """
    environment = _environment_of(source)
    python, docker = environment.python, environment.docker
    variables = {str(name): str(value) for name, value in environment.environment_variables.items()}
    image = docker.base_image if docker.base_image and not is_plain_base_image(docker.base_image) else None
    address = docker.base_image_registry.address
    if image and address and not image.startswith(f"{address.rstrip('/')}/"):
        image = f"{address.rstrip('/')}/{image}"
    dockerfile = None if image else dockerfile_text(docker.base_dockerfile)
    context = None if image or dockerfile else docker.build_context

    nothing = ResolvedPython(PythonEnvironmentSpec())
    resolved = nothing if python.user_managed_dependencies else python_spec(python.conda_dependencies)
    spec = None if resolved.spec.asks_for_nothing else resolved.spec

    if image or dockerfile or context:
        kind, interpreter = EnvironmentKind.CONTAINER, None
    elif python.user_managed_dependencies and python.interpreter_path not in _ANY_PYTHON:
        kind, interpreter = EnvironmentKind.INTERPRETER, python.interpreter_path
    elif spec is not None:
        kind, interpreter = EnvironmentKind.VIRTUALENV, None
    else:
        kind, interpreter = EnvironmentKind.WORKER, None
    return EnvironmentPlan(
        kind,
        interpreter,
        spec,
        image,
        dockerfile,
        variables,
        resolved.notes,
        resolved.secrets,
        context,
        docker.base_image_registry,
    )


def _environment_of(source: EnvironmentSource) -> Environment:
    if source is None:
        return Environment("default")
    if isinstance(source, Environment):
        return source
    if isinstance(source, RunConfiguration):
        return source.environment
    if isinstance(source, CondaDependencies):
        made = Environment("default")
        made.python.conda_dependencies = source
        return made
    raise RunConfigurationException(
        "An environment is a RunConfiguration, an Environment or a CondaDependencies, "
        f"not a {type(source).__name__}."
    )

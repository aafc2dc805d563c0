"""``Environment.build`` and ``build_local``: make an environment before the first step needs it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.environment.environment import Environment
from mlsteps.environment.image_builder import ImageBuilder
from mlsteps.environment.lock_store import EnvironmentLocks, lock_for
from mlsteps.environment.plan import EnvironmentKind, EnvironmentPlan, plan_environment
from mlsteps.environment.python_for import python_for
from mlsteps.environment.venv import VirtualEnvironments
from mlsteps.exceptions import MlstepsException

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace
    from mlsteps.workspace_config import WorkspaceConfig

_USUAL_IMAGE = "python:{python}-slim"
_POLL_SECONDS = 0.2


class ImageBuildDetails:
    """An environment that is being made (SDK v1 ``ImageBuildDetails``).

    Args:
        make: makes it and returns what it is called: an image's name, or an interpreter's path. Is given what
            takes the lines of its log.
    """

    def __init__(self, make: Callable[[Callable[[str], None]], str]) -> None:
        self.log_url = None
        self.error: Exception | None = None
        self.result: str | None = None
        self._make = make
        self._lines: list[str] = []
        self._status = "Running"
        self._thread = threading.Thread(target=self._run, name="mlsteps-environment", daemon=True)
        self._thread.start()

    @property
    def status(self) -> str:
        """``Running``, ``Succeeded`` or ``Failed``."""
        return self._status

    def get_log(self) -> str:
        """What was told so far, one line each."""
        return "\n".join(self._lines)

    def wait_for_completion(self, show_output: bool = True) -> ImageBuildDetails:
        """Wait until it is made, and return this object; ``status`` tells whether it failed, as in SDK v1."""
        printed = 0
        while self._thread.is_alive() or printed < len(self._lines):
            lines = self._lines[printed:]
            printed += len(lines)
            if show_output and lines:
                print("\n".join(lines), flush=True)
            if self._thread.is_alive():
                self._thread.join(_POLL_SECONDS)
        return self

    def _run(self) -> None:
        start = time.monotonic()
        try:
            self.result = self._make(self._lines.append)
        except Exception as error:
            self.error = error
            self._lines.append(str(error))
            self._status = "Failed"
        else:
            self._lines.append(f"Ready after {time.monotonic() - start:.1f} s: {self.result}")
            self._status = "Succeeded"


def start_build(environment: Environment, workspace: Workspace) -> ImageBuildDetails:
    """Begin to make what ``environment`` asks for; see ``Environment.build``."""
    plan = plan_environment(environment)
    return _building(plan, workspace, plan.kind is EnvironmentKind.CONTAINER)


def build_here(environment: Environment, workspace: Workspace, *, use_docker: bool) -> ImageBuildDetails:
    """Make it and wait; see ``Environment.build_local``.

    Raises:
        MlstepsException: it could not be made.
    """
    details = _building(plan_environment(environment), workspace, use_docker).wait_for_completion()
    if isinstance(details.error, MlstepsException):
        raise details.error
    return details


def _building(plan: EnvironmentPlan, workspace: Workspace, image: bool) -> ImageBuildDetails:
    folder, store = workspace.config.folder / "environments", workspace.record_store()
    locks = EnvironmentLocks(store, folder)

    def make_image(tell: Callable[[str], None]) -> str:
        target = container_settings(workspace.config)
        builder = ImageBuilder(
            target.get("url") or target.get("docker_url"),
            folder,
            target.get("base_image", _USUAL_IMAGE),
            pull=target.get("pull", "missing"),
        )
        return builder.get_or_build(plan, locks, tell, store).name

    def make_interpreter(tell: Callable[[str], None]) -> str:
        return str(python_for(plan, VirtualEnvironments(folder), tell, lock_for(plan, locks, tell)))

    return ImageBuildDetails(make_image if image else make_interpreter)


def container_settings(config: WorkspaceConfig) -> Mapping[str, Any]:
    """The settings of the compute target that steps find their images on: one with a ``base_image``.

    That is the default target, else the first that has one; empty if there is none.
    """
    names = [config.default_compute_target, *config.compute_targets]
    for name in dict.fromkeys(names):
        settings: Mapping[str, Any] = config.compute_targets.get(name, {})
        if settings.get("type") == "amlcompute":
            settings = settings.get("backend") or config.aml_compute
        if settings.get("base_image"):
            return settings
    return {}

"""Environments that a workspace knows by name: registered ones, and stand-ins for Azure ML's curated ones."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from mlsteps.environment.build_context import store_context
from mlsteps.environment.curated import KNOWN_NAMES, curated_environment, is_curated
from mlsteps.environment.environment import Environment
from mlsteps.environment.image_context import dockerfile_text
from mlsteps.environment.redaction import redact
from mlsteps.exceptions import UserErrorException, WorkspaceException
from mlsteps.records.environments import (
    EnvironmentRecord,
    environment_versions,
    list_environments,
    read_environment,
    register_environment,
)

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace

_log = logging.getLogger(__name__)

_RESERVED = ("azureml", "microsoft")
_SECRET_NAME = re.compile(
    r"secret|passw|pwd|token|credential|api_?key|account_?key|access_?key|connection_?string|(?:^|_)(?:sas|key)$",
    re.IGNORECASE,
)


class RegisteredEnvironment(Environment):
    """An environment that is read from the workspace when something of it is first asked for.

    So a DAG file may call ``Environment.get`` at its top: nothing is read while it is parsed, unless it looks
    into the environment or changes it.
    """

    def __getattribute__(self, name: str) -> Any:
        if name in _LOADED_FIELDS and "_pending" in self.__dict__:
            workspace, wanted, version = self.__dict__["_pending"]
            record = _record(workspace, wanted, version)
            del self.__dict__["_pending"]
            self.__dict__.update(_environment(record).__dict__)
        return super().__getattribute__(name)


_LOADED_FIELDS = frozenset(item.name for item in fields(Environment)) - {"name"}


def get_environment(
    workspace: Workspace, name: str, version: str | int | None = None, label: str | None = None
) -> Environment:
    """Return an environment by name; see ``Environment.get``."""
    if label is not None and label.lower() != "latest":
        raise UserErrorException(
            f"Environment.get: label {label!r} is not known; only 'Latest' is, which is the default."
        )
    if is_curated(name):
        return curated_environment(name)
    number = _number(name, version)
    made = RegisteredEnvironment(name)
    made.__dict__["_pending"] = (workspace, name, number)
    if workspace.registry_known_without_lookup():
        _ = made.version  # a name that is missing breaks the DAG file where it is wrong
    return made


def register(environment: Environment, workspace: Workspace) -> Environment:
    """Keep an environment under its name; see ``Environment.register``."""
    name = environment.name
    if name.lower().startswith(_RESERVED):
        raise UserErrorException(
            f"An environment cannot be registered as {name!r}: names that begin with 'AzureML' or "
            "'Microsoft' are those of curated environments. Use clone() to give it another name."
        )
    store = workspace.record_store()
    kept = copy.deepcopy(environment)
    kept.docker.base_dockerfile = dockerfile_text(kept.docker.base_dockerfile)
    context = kept.docker.build_context
    if context is not None:
        kept.docker.build_context = store_context(context, store, workspace.config.folder / "scratch")
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    record = register_environment(store, name, _definition(kept), created)
    environment.version = str(record.environment_version)
    return _environment(record)


class Environments(Mapping[str, Environment]):
    """``Workspace.environments``: every environment by name; a curated one also where it is not listed."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def __getitem__(self, name: str) -> Environment:
        if is_curated(name):
            return curated_environment(name)
        record = read_environment(self._workspace.record_store(), name)
        if record is None:
            raise KeyError(f"no environment is called {name!r}; there is {', '.join(self)}")
        return _environment(record)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted([*list_environments(self._workspace.record_store()), *KNOWN_NAMES]))

    def __len__(self) -> int:
        return len(list(iter(self)))


def _record(workspace: Workspace, name: str, version: int | None) -> EnvironmentRecord:
    store = workspace.record_store()
    record = read_environment(store, name, version)
    if record is None:
        versions = environment_versions(store, name)
        if versions:
            there = f"it has {', '.join(map(str, versions))}"
            raise WorkspaceException(f"Environment {name!r} has no version {version}; {there}.")
        names = ", ".join(list_environments(store)) or "none"
        raise WorkspaceException(
            f"Workspace {workspace.name!r} has no environment {name!r}; registered are: {names}. "
            "Register it with Environment.register(workspace)."
        )
    return record


def _environment(record: EnvironmentRecord) -> Environment:
    made = Environment.from_plain({**record.definition, "name": record.name})
    made.version = str(record.environment_version)
    return made


def _definition(environment: Environment) -> Mapping[str, Any]:
    """What is stored: everything but secrets, the name and the version."""
    plain = environment.to_plain()
    for key in ("name", "version", "assetId"):
        plain.pop(key, None)
    dockerfile = plain["docker"].get("baseDockerfile")
    if dockerfile and redact(dockerfile) != dockerfile:
        raise UserErrorException(
            f"Environment {environment.name!r}: there is a credential in a URL of base_dockerfile. Whoever "
            "reads the workspace could read it; take it out before the environment is registered."
        )
    variables = plain["environmentVariables"]
    secret = [name for name, value in variables.items() if looks_secret(name, str(value))]
    if secret:
        _log.warning(
            "Environment %s: the variables %s look like secrets and are not registered. Set them on the run "
            "configuration of the step.",
            environment.name,
            ", ".join(sorted(secret)),
        )
    plain["environmentVariables"] = {key: str(value) for key, value in variables.items() if key not in secret}
    return plain


def looks_secret(name: str, value: str) -> bool:
    """Return whether an environment variable is, by its name or value, one that must not be written down."""
    return bool(_SECRET_NAME.search(name)) or redact(value) != value


def _number(name: str, version: str | int | None) -> int | None:
    if version is None:
        return None
    if str(version).isdigit():
        return int(version)
    raise UserErrorException(f"Environment {name!r}: version must be a number, not {version!r}.")

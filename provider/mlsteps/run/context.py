"""What the launcher tells a script about its run: ``context.json`` as a value; written there, read here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mlsteps.exceptions import RunEnvironmentException
from mlsteps.run import values
from mlsteps.run.protocol import CONTEXT_VERSION, Event

INPUT_MODES = ("mount", "download", "direct")


@dataclass(frozen=True)
class WorkspaceReference:
    """The workspace by name, and the locator for ``Workspace.from_locator`` (None: unreachable)."""

    name: str
    locator: str | None = None


@dataclass(frozen=True)
class InputPath:
    """Where an input was staged, and how the pipeline asked for it (one of ``INPUT_MODES``).

    ``dataset`` has id, name and version of a dataset, and whether it is tabular.
    """

    mode: str
    path: str
    dataset: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ParentContext:
    """The pipeline run as it was when the step started; ``metrics`` are metric events of earlier steps."""

    run_id: str
    tags: Mapping[str, str | None] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[Event, ...] = ()


@dataclass(frozen=True)
class RunContext:
    """Everything that a script may know of its run.

    ``run_id`` and ``name`` are the step's; ``attempt`` counts from 1; ``outputs`` maps names to paths;
    ``models`` maps the names of registered models to their latest versions.
    """

    run_id: str
    name: str
    experiment: str
    workspace: WorkspaceReference
    working_directory: str
    attempt: int = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str | None] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, InputPath] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    parent: ParentContext | None = None
    models: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of ``context.json``."""
        return values.dumps({"version": CONTEXT_VERSION, **asdict(self)})

    @classmethod
    def from_json(cls, text: str | bytes) -> RunContext:
        """Read what ``to_json`` wrote.

        Raises:
            RunEnvironmentException: not JSON, of another version, or with a key missing, unknown or of a
                wrong type.
        """
        try:
            content = values.loads(text)
        except ValueError as error:
            raise RunEnvironmentException(f"The run's context is not JSON: {error}") from error
        whole = _Reader("context", content)
        version = whole.take("version", int)
        if version != CONTEXT_VERSION:
            raise RunEnvironmentException(
                f"The run's context has version {version}, and this mlsteps reads version {CONTEXT_VERSION}. "
                "Install the same version of mlsteps for the script as for Airflow."
            )
        workspace = whole.enter("workspace")
        context = cls(
            run_id=whole.take("run_id", str),
            name=whole.take("name", str),
            experiment=whole.take("experiment", str),
            workspace=WorkspaceReference(
                workspace.take("name", str), workspace.take("locator", (str, type(None)))
            ),
            working_directory=whole.take("working_directory", str),
            attempt=whole.take("attempt", int),
            parameters=whole.take("parameters", dict),
            tags=whole.mapping("tags", (str, type(None))),
            properties=whole.mapping("properties", str),
            inputs={
                name: _input(f"inputs.{name}", value) for name, value in whole.take("inputs", dict).items()
            },
            outputs=whole.mapping("outputs", str),
            parent=_parent(whole.take("parent", (dict, type(None)))),
            models=whole.mapping("models", int),
        )
        workspace.end()
        whole.end()
        return context

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RunContext:
        """Read the file ``path``.

        Raises:
            RunEnvironmentException: the file cannot be read, or see ``from_json``.
        """
        try:
            with open(path, "rb") as file:
                text = file.read()
        except OSError as error:
            raise RunEnvironmentException(f"The run's context cannot be read: {error}") from error
        return cls.from_json(text)


def _input(place: str, content: object) -> InputPath:
    reader = _Reader(place, content)
    given = InputPath(
        mode=reader.take("mode", str),
        path=reader.take("path", str),
        dataset=reader.take("dataset", (dict, type(None))),
    )
    reader.end()
    if given.mode not in INPUT_MODES:
        raise RunEnvironmentException(
            f"{place}: the run's context knows the modes {INPUT_MODES}, not {given.mode!r}"
        )
    return given


def _parent(content: object) -> ParentContext | None:
    if content is None:
        return None
    reader = _Reader("parent", content)
    parent = ParentContext(
        run_id=reader.take("run_id", str),
        tags=reader.mapping("tags", (str, type(None))),
        properties=reader.mapping("properties", str),
        metrics=tuple(reader.take("metrics", list)),
    )
    reader.end()
    return parent


class _Reader:
    """Takes the keys of one JSON object by name and type; what is left at the end nobody expected."""

    def __init__(self, place: str, content: object) -> None:
        if not isinstance(content, dict):
            raise RunEnvironmentException(f"{place} of the run's context is not an object")
        self._place = place
        self._left: dict[str, Any] = dict(content)

    def take(self, key: str, kind: type | tuple[type, ...]) -> Any:
        if key not in self._left:
            raise RunEnvironmentException(f"{self._place} of the run's context lacks {key!r}")
        return self._checked(key, self._left.pop(key), kind)

    def mapping(self, key: str, kind: type | tuple[type, ...]) -> dict[str, Any]:
        content = self.take(key, dict)
        return {name: self._checked(f"{key}.{name}", value, kind) for name, value in content.items()}

    def enter(self, key: str) -> _Reader:
        return _Reader(key, self.take(key, dict))

    def end(self) -> None:
        if self._left:
            raise RunEnvironmentException(
                f"{self._place} of the run's context has unknown {sorted(self._left)}"
            )

    def _checked(self, key: str, value: Any, kind: type | tuple[type, ...]) -> Any:
        # bool is an int to Python, and a version or attempt of true is nobody's intention
        if not isinstance(value, kind) or isinstance(value, bool):
            raise RunEnvironmentException(f"{self._place}: {key!r} of the run's context cannot be {value!r}")
        return value

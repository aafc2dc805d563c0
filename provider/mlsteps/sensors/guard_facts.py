"""What of a guard's declaration counts: a change of it is a reason to run the guards again."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlsteps.compat import to_plain
from mlsteps.launcher.digest import digest_bytes
from mlsteps.reuse import canonical
from mlsteps.reuse.canonical import Json, same
from mlsteps.reuse.key import Key, hidden
from mlsteps.steps.arguments import is_filled_in_later
from mlsteps.steps.task_fields import declared_fields, expand_inputs

# Fields that hold environment variables, and names that say so, are kept as nothing but hashes.
_VARIABLES = ("env", "env_vars", "environment", "private_environment")
_SECRET = re.compile(r"pass(wor|phr|w?d)|secret|token|api_?key|authorization|credential|private_?key", re.I)


@dataclass
class GuardFacts:
    """Parts of a key, by names that tell the task; no task id has a colon.

    :param functions: Digests of the functions that are called.
    :param variables: Hashes of environment variables and secrets.
    :param values: Everything else.
    """

    functions: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    values: dict[str, Json] = field(default_factory=dict)

    @classmethod
    def of(cls, tasks: Iterable[Any]) -> GuardFacts:
        """What counts of some tasks, as they are declared: templates are not filled in."""
        facts = cls()
        for task in tasks:
            facts._add(task)
        return facts

    def hold_in(self, key: Key) -> bool:
        """Whether a key was made of the same."""
        pairs = ((self.functions, key.hash_paths), (self.variables, key.variables), (self.values, key.extra))
        return all(
            name in known and same(value, known[name])
            for mine, known in pairs
            for name, value in mine.items()
        )

    def _add(self, task: Any) -> None:
        self.values[f"{task.task_id}: operator"] = task.task_type
        text = _source(getattr(task, "python_callable", None))
        if text is not None:
            self.functions[f"function of {task.task_id}"] = digest_bytes(text.encode("utf-8", "replace"))
        for name, value in declared_fields(task).items():
            self._add_field(task, f"{task.task_id}: {name}", name, value)
        for number, value in enumerate(expand_inputs(task)):
            label = f"{task.task_id}: expand" + (f" {number + 1}" if number else "")
            self._add_field(task, label, "expand", value)

    def _add_field(self, task: Any, label: str, name: str, value: Any) -> None:
        if name in _VARIABLES and isinstance(value, Mapping):
            for key, item in value.items():
                self._hide(f"{label}.{key}", _plain(task, item))
        elif _SECRET.search(name) and value is not None:
            self._hide(label, _plain(task, value))
        else:
            self.values[label] = self._without_secrets(label, _plain(task, value))

    def _without_secrets(self, label: str, value: Json) -> Json:
        if isinstance(value, Mapping):
            kept: dict[str, Json] = {}
            for key, item in value.items():
                if _SECRET.search(key) and item is not None:
                    self._hide(f"{label}.{key}", item)
                else:
                    kept[key] = self._without_secrets(f"{label}.{key}", item)
            return kept
        if isinstance(value, list):
            return [self._without_secrets(f"{label}.{number}", item) for number, item in enumerate(value)]
        return value

    def _hide(self, label: str, value: Json) -> None:
        self.variables[label] = hidden(label, json.dumps(canonical.to_strict(value), sort_keys=True))


def _source(function: Callable[..., Any] | None) -> str | None:
    """The text of a function; None where it has none, as one that was made by another program."""
    if function is None:
        return None
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return None


def _plain(task: Any, value: Any) -> Json:
    """A declared value as JSON; of what has no place there, its type."""
    if value is None or isinstance(value, (bool, int, float)):
        return canonical.scalar(value, "")
    if isinstance(value, str):
        return canonical.text(_file_text(task, value), "")
    if isinstance(value, Mapping):
        return {str(key): _plain(task, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(task, item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(task, item) for item in value), key=canonical.encode)
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    if is_filled_in_later(value):
        found = [f"{maker.task_id}:{key}" for maker, key in value.iter_references()]
        return found[0] if len(found) == 1 else [type(value).__name__, *found]
    if not callable(value):
        # Dates, decimals, dataclasses and the like; whatever another class's serializer raises says no more.
        with contextlib.suppress(Exception):
            made: Json = canonical.plain(to_plain(value), "")
            return made
    return f"<{getattr(value, '__qualname__', type(value).__qualname__)}>"


def _file_text(task: Any, value: str) -> str:
    """The template in the file that a value names, where Airflow would read it from there."""
    if value.endswith(tuple(task.template_ext)):
        with contextlib.suppress(Exception):  # it is told when the task meets it
            environment = task.get_template_env()
            return str(environment.loader.get_source(environment, value)[0])
    return value

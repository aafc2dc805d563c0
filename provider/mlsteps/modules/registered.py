"""Registered: what modules and their versions have in common: a description and a status, which change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

from mlsteps.records.modules import DEPRECATED, ModuleRecord, ModuleVersionRecord
from mlsteps.records.published_pipelines import ACTIVE, DISABLED

R = TypeVar("R", ModuleRecord, ModuleVersionRecord)


class Registered(Generic[R]):
    """A module or a version of one.

    :ivar record: As the registry had it when it was read or changed last.
    """

    record: R

    @property
    def description(self) -> str:
        """What was said of it."""
        return self.record.description

    @property
    def status(self) -> str:
        """``Active``, ``Deprecated`` or ``Disabled``."""
        return self.record.status

    def set_description(self, description: str) -> None:
        """Say something else of it."""
        self._change(lambda record: replace(record, description=description or ""))

    def enable(self) -> None:
        """Let steps use it, without a warning."""
        self._set_status(ACTIVE)

    def deprecate(self) -> None:
        """Let steps that use it warn: of a version with another one, of a module with its description."""
        self._set_status(DEPRECATED)

    def disable(self) -> None:
        """Let no step use it until :meth:`enable`. Pipelines that are published already go on with it."""
        self._set_status(DISABLED)

    def _set_status(self, status: str) -> None:
        self._change(lambda record: replace(record, status=status))

    def _change(self, change: Callable[[R], R]) -> None:
        """Change the record in the registry, and take it over."""
        raise NotImplementedError

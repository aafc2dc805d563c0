"""Named: what endpoints, schedules and drafts have in common."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar


class NamedRecord(Protocol):
    """A record with a name."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...


R = TypeVar("R", bound=NamedRecord)


class Named(Generic[R]):
    """A thing of the workspace's registry that has an id, a name and a description."""

    _record: R

    @property
    def id(self) -> str:
        """Its id."""
        return self._record.id

    @property
    def name(self) -> str:
        """Its name. No other endpoint has that of an endpoint."""
        return self._record.name

    @property
    def description(self) -> str:
        """What was said of it."""
        return self._record.description

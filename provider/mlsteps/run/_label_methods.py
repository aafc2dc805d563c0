"""The part of ``Run`` that tags and describes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlsteps.exceptions import UserErrorException
from mlsteps.run._core import RunCore
from mlsteps.run.labels import as_tags, properties_after, tags_after
from mlsteps.run.protocol import EventKind


class LabelMethods(RunCore):
    """Tags, properties, display name and description of SDK v1's Run. Values are kept as text."""

    def tag(self, key: str, value: Any = None) -> None:
        """Set one tag; without a value it is a mere mark."""
        self.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, Any] | str) -> None:
        """Set several tags, leaving the others; a text sets one tag without a value."""
        self._record(EventKind.TAG, tags=as_tags(tags))

    def remove_tags(self, tags: Iterable[str] | str) -> None:
        """Remove tags by their keys; keys that are not there do not matter."""
        self._record(EventKind.UNTAG, keys=[tags] if isinstance(tags, str) else [str(key) for key in tags])

    def get_tags(self) -> dict[str, str | None]:
        """The tags as they are now, a copy."""
        return tags_after(self._log.events(), self._identity.target, self._identity.tags)

    @property
    def tags(self) -> dict[str, str | None]:
        """The same as ``get_tags()``."""
        return self.get_tags()

    def add_properties(self, properties: Mapping[str, Any]) -> None:
        """Set properties, for good. Setting the value that a property already has is no mistake.

        Raises:
            UserErrorException: one of them already has another value; then none is set.
        """
        added = {str(key): str(value) for key, value in properties.items()}
        current = self.get_properties()
        changed = sorted(key for key, value in added.items() if current.get(key, value) != value)
        if changed:
            kept = ", ".join(f"{key}={current[key]!r}" for key in changed)
            raise UserErrorException(f"Properties cannot change once set: {kept}. Use tags for what changes.")
        self._record(EventKind.PROPERTY, properties=added)

    def get_properties(self) -> dict[str, str]:
        """The properties as they are now, a copy."""
        return properties_after(self._log.events(), self._identity.target, self._identity.properties)

    @property
    def properties(self) -> dict[str, str]:
        """The same as ``get_properties()``."""
        return self.get_properties()

    @property
    def display_name(self) -> str:
        """The name shown for the run; may be set. Default its ``name``."""
        return self._described("display_name") or self._identity.name

    @display_name.setter
    def display_name(self, text: str) -> None:
        self._record(EventKind.DESCRIBE, display_name=str(text))

    @property
    def description(self) -> str | None:
        """What the run is about, for the reader; may be set. Default None."""
        return self._described("description")

    @description.setter
    def description(self, text: str) -> None:
        self._record(EventKind.DESCRIBE, description=str(text))

    def _described(self, key: str) -> str | None:
        found = [event[key] for event in self._recorded(EventKind.DESCRIBE) if key in event]
        return str(found[-1]) if found else None

"""Tags and properties as a journal leaves them: pure functions, used by the run and by the records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlsteps.run.protocol import Event, EventKind


def tags_after(
    events: Iterable[Event], target: str, start: Mapping[str, str | None]
) -> dict[str, str | None]:
    """The tags of ``target``: those at its start, then every ``tag`` and ``untag`` in order."""
    tags = dict(start)
    for event in events:
        if event.get("target") != target:
            continue
        if event["event"] == EventKind.TAG:
            tags.update(event["tags"])
        elif event["event"] == EventKind.UNTAG:
            for key in event["keys"]:
                tags.pop(key, None)
    return tags


def properties_after(events: Iterable[Event], target: str, start: Mapping[str, str]) -> dict[str, str]:
    """The properties of ``target``; a key keeps its first value, even if two processes set it at once."""
    properties = dict(start)
    for event in events:
        if event.get("target") == target and event["event"] == EventKind.PROPERTY:
            for key, value in event["properties"].items():
                properties.setdefault(key, value)
    return properties


def as_tags(tags: Mapping[str, object] | str) -> dict[str, str | None]:
    """Tags as they are kept: text to text or None. A bare text is a tag without a value, as in SDK v1."""
    if isinstance(tags, str):
        return {tags: None}
    return {str(key): None if value is None else str(value) for key, value in tags.items()}

"""What the readers of records share: bytes, times and words."""

from __future__ import annotations

from datetime import datetime, timezone

from mlsteps.data.stores import Store


def read_bytes(store: Store, path: str) -> bytes:
    """A file's bytes; none where there is no file any more."""
    try:
        return store.read(path)
    except FileNotFoundError:
        return b""


def moment(text: str) -> datetime:
    """The time that a record names.

    :raises ValueError: it is none.
    """
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def problem_with(path: str, error: Exception) -> str:
    """What is wrong with a file, in words that name it."""
    text = str(error)
    return text if path in text else f"{path} cannot be used: {type(error).__name__}: {text}"

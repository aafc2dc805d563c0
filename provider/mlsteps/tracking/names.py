"""What MLflow takes as names and values, made of what is called otherwise here."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

# MLflow refuses longer ones.
_LONGEST_KEY = 250
_LONGEST_VALUE = 5000
_REFUSED = re.compile(r"[^\w./ -]")


def key_of(name: str) -> str:
    """A metric's, parameter's or tag's name as MLflow takes it: other characters become underscores."""
    clean = posixpath.normpath(_REFUSED.sub("_", name)).lstrip("/.") or "_"
    return clean[:_LONGEST_KEY]


def text_of(value: Any) -> str:
    """A value as MLflow's tags and parameters hold them."""
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def texts_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Tags or parameters; those without a value have an empty one."""
    return {key_of(name): "" if value is None else text_of(value) for name, value in values.items()}


def milliseconds(time: str | None) -> int | None:
    """A record's time as MLflow has it."""
    return None if time is None else round(datetime.fromisoformat(time).timestamp() * 1000)

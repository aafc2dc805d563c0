"""Spans of time, as errors tell them."""

from __future__ import annotations


def in_words(seconds: float) -> str:
    """``90`` as ``1.5 minutes``."""
    for unit, size in (("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}{'' if seconds == size else 's'}"
    return f"{seconds:.3g} second{'' if seconds == 1 else 's'}"

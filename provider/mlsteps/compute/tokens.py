"""Tokens: the texts in arguments that stand for paths and parameter values until a job is about to start."""

from __future__ import annotations

import re
from collections.abc import Mapping


def substitute(text: str, values: Mapping[str, str]) -> str:
    """``text`` with every token replaced by its value, in one pass: a value is never searched again.

    Where one token begins with another the longer one is meant.
    """
    if not values:
        return text
    longest_first = sorted(values, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), lambda found: values[found.group()], text)

"""Tokens: the texts in arguments that stand for paths and parameter values until a job is about to start."""

from __future__ import annotations

import re
from collections.abc import Mapping


def substitute(text: str, values: Mapping[str, str]) -> str:
    """``text`` with every token replaced by its value, in one pass: a value is never searched again.

    Where one token begins with another the longer one is meant.
    """
    longest_first = sorted(filter(None, values), key=len, reverse=True)
    if not longest_first:
        return text
    return re.sub("|".join(map(re.escape, longest_first)), lambda found: values[found.group()], text)

"""Takes signatures out of texts before anybody reads them: messages, results, tracebacks."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"(https?://[^\s?'\"<>]+)\?[^\s'\"<>]*")
_CREDENTIALS = re.compile(r"(https?://)[^\s/?'\"<>@]*@")
_PARAMETER = re.compile(
    r"\b(sig|signature|x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential))"
    r"(=|%3d)[^&\s'\"<>]+",
    re.IGNORECASE,
)
_LEAST = 8  # shorter parts of a query, such as "sr=c", are no secrets and stand in too many words

_known: set[str] = set()


def conceal(query: str) -> None:
    """Remember the query of a signed address: neither it nor the signature in it passes `redacted` again."""
    if len(query) >= _LEAST:
        _known.add(query)


def redacted(text: str) -> str:
    """``text`` without queries of addresses, signatures and what `conceal` was told."""
    for secret in _known:
        text = text.replace(secret, "***")
    text = _ADDRESS.sub(r"\1?***", text)
    text = _CREDENTIALS.sub(r"\1***@", text)
    return _PARAMETER.sub(r"\1\2***", text)

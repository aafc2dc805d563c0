"""Requests signed one by one with the key of an Azure storage account.

Such a signature is for one request and some minutes, and stands in no address that a log might show. The
service has less to look up for it than for one that opens a whole container.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Mapping
from email.utils import formatdate
from urllib.parse import parse_qsl

# What is signed of a request, in this order. Headers that no request of ours has are empty lines here.
_SIGNED = ("", "", "Content-Length", "Content-MD5", "", "", "", "If-Match", "", "", "Range")


class SharedKey:
    """The key of an account.

    :param key: In Base64, as Azure tells it; a secret.
    """

    def __init__(self, account: str, key: str) -> None:
        self._account = account
        self._key = base64.b64decode(key)
        self._date = (0, "")

    def sign(self, verb: str, path: str, query: str, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of a request, and those that prove that it may be made.

        :param path, query: Of its address, as they are sent.
        :param headers: Among them all whose names begin with ``x-ms-``, in lower case.
        """
        dated = {**headers, "x-ms-date": self._now()}
        lines = [verb, *(dated.get(name, "") for name in _SIGNED)]
        if lines[3] == "0":  # so it is signed since 2015
            lines[3] = ""
        lines += sorted(f"{name}:{value}" for name, value in dated.items() if name.startswith("x-ms-"))
        lines.append(f"/{self._account}{path}")
        lines += sorted(f"{name}:{value}" for name, value in parse_qsl(query, keep_blank_values=True))
        signature = base64.b64encode(hmac.digest(self._key, "\n".join(lines).encode(), "sha256")).decode()
        return {**dated, "Authorization": f"SharedKey {self._account}:{signature}"}

    def _now(self) -> str:
        """The time as a header has it, written once a second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True))
        return self._date[1]

"""Keeps credentials inside URLs out of everything that is shown, hashed or stored.

Two operations: ``redact`` masks any text for people; ``UrlSecrets.hide`` parts a URL into what it names and
what opens it, so that the name can go into a spec and the whole be restored for the installer alone.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_SECRET_KEY = (
    r"(?:sig|signature|x-amz-[a-z-]+|x-goog-[a-z-]+|[a-z0-9_.-]*"
    r"(?:token|api[_-]?key|password|passwd|pwd|secret|credential)[a-z0-9_.-]*|key|code|auth)"
)
# up to the last "@" before the path: a password may hold any character that somebody forgot to quote
_USERINFO = re.compile(r"(?<=://)([^/\s]+)@")
_QUERY_SECRET = re.compile(rf"([?&;]{_SECRET_KEY}=)[^&;\s'\"#<>]+", re.IGNORECASE)
# conda's way to write a token, between the host and the channel
_PATH_TOKEN = re.compile(r"(?<=://)([^/\s]+)/t/([^/\s]+)(?=/)")
_QUERY = re.compile(r"\?[^#\s]*")
_ANY_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_SHORTEST_SECRET = 4  # shorter ones ("git", "me") would mask half of an installer's words


def redact(text: str) -> str:
    """Return ``text`` with user names, passwords and tokens in its URLs replaced by ``***``."""
    text = _QUERY_SECRET.sub(r"\1***", _USERINFO.sub("***@", text))
    return _PATH_TOKEN.sub(r"\1/t/***", text)


def without_credentials(text: str) -> str:
    """Return ``text`` with the credentials of its URLs gone, so that what is left is still usable."""
    return UrlSecrets().hide_all(text)


def channel_without_credentials(channel: str) -> str:
    """Return a conda channel's name or URL without credentials and token."""
    return UrlSecrets().hide_channel(channel)


class UrlSecrets:
    """The full form of URLs of which only the credential-free form may be seen.

    Handed to an installer beside the spec and nowhere else: it is not hashed, compared, saved or printed.
    """

    def __init__(self) -> None:
        self._full_urls: dict[str, str] = {}
        self._words: set[str] = set()

    def hide(self, url: str) -> str:
        """Return ``url`` without its credentials and remember the full form.

        A query goes as a whole when one part of it is a secret: signed URLs differ in every part each
        time they are issued. An ssh user without a password (``git@``) names the account, so it stays.
        """
        clean = url
        user = _USERINFO.search(url)
        if user and not (url.partition("://")[0].endswith("ssh") and ":" not in user[1]):
            clean = _USERINFO.sub("", clean, count=1)
            self._remember(*user[1].split(":", 1))
        query = _QUERY.search(clean)
        if query and _QUERY_SECRET.search(query[0]):
            clean = _QUERY.sub("", clean, count=1)
            self._remember(query[0], *(part.partition("=")[2] for part in re.split("[?&;]", query[0])))
        if clean != url:
            self._full_urls[clean] = url
        return clean

    def hide_channel(self, url: str) -> str:
        """``hide`` the URL of a conda channel or a package in it, which may hold a token in its path."""
        clean = self.hide(url)
        token = _PATH_TOKEN.search(clean)
        if token is None:
            return clean
        self._remember(token[2])
        clean = _PATH_TOKEN.sub(r"\1", clean, count=1)
        self._full_urls[clean] = url
        return clean

    def hide_all(self, text: str) -> str:
        """``hide`` every URL in ``text``."""
        return _ANY_URL.sub(lambda match: self.hide(match[0]), text)

    def reveal_all(self, text: str) -> str:
        """Return ``text`` with the full form of every URL that ``hide`` returned; for the installer only."""
        return _ANY_URL.sub(lambda match: self._full_urls.get(match[0], match[0]), text)

    def reveal_below(self, url: str) -> str:
        """Return ``url`` in its full form if it is a URL that ``hide`` returned, or lies below one."""
        for clean in sorted(self._full_urls, key=len, reverse=True):
            base = clean.rstrip("/")
            if url == clean or url.startswith(f"{base}/"):
                return self._full_urls[clean].rstrip("/") + url[len(base) :]
        return url

    def joined(self, other: UrlSecrets) -> UrlSecrets:
        """Return the secrets of both."""
        both = UrlSecrets()
        for secrets in (self, other):
            both._full_urls |= secrets._full_urls
            both._words |= secrets._words
        return both

    def mask(self, text: str) -> str:
        """``redact``, and hide the secrets known here wherever they stand, quoted for a URL or not."""
        for word in sorted(self._words, key=len, reverse=True):
            text = text.replace(word, "***")
        return redact(text)

    def _remember(self, *secrets: str) -> None:
        words = {form for secret in secrets for form in (secret, unquote(secret))}
        self._words |= {word for word in words if len(word) >= _SHORTEST_SECRET}

    def __bool__(self) -> bool:
        return bool(self._full_urls)

    def __repr__(self) -> str:
        return f"UrlSecrets({len(self._full_urls)} hidden)"

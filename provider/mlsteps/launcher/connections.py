"""Connections to servers, kept for as long as they hold, each used by one thread only; through proxies."""

from __future__ import annotations

import base64
import http.client
import ssl
import threading
from urllib.parse import unquote, urlsplit

from mlsteps.exceptions import UserErrorException


class Connections:
    """The connections of all threads.

    Args:
        timeout: How many seconds a server may say nothing.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._of_thread = threading.local()
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None

    def get(self, scheme: str, server: str) -> tuple[http.client.HTTPConnection, str, dict[str, str], bool]:
        """The connection for requests to a server, from the thread that asks.

        Returns it, what goes before the path of a request, further headers, and whether it was used before.
        """
        kept = self._kept()
        found = kept.get((scheme, server))
        if found is not None:
            return (*found, True)
        made = self._open(scheme, server)
        kept[scheme, server] = made
        return (*made, False)

    def drop(self, scheme: str, server: str) -> None:
        """Close it: the next request gets a new one."""
        found = self._kept().pop((scheme, server), None)
        if found is not None:
            found[0].close()

    def _kept(self) -> dict[tuple[str, str], tuple[http.client.HTTPConnection, str, dict[str, str]]]:
        if not hasattr(self._of_thread, "kept"):
            self._of_thread.kept = {}
        return self._of_thread.kept  # type: ignore[no-any-return]

    def _open(self, scheme: str, server: str) -> tuple[http.client.HTTPConnection, str, dict[str, str]]:
        proxy = _proxy_for(scheme, server)
        if proxy is None:
            return self._connection(scheme, server), "", {}
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        try:
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port is not None
        except ValueError:
            usable = False
        if not usable:
            raise UserErrorException(
                f"The proxy for {scheme} in the environment of the job is not usable: "
                "it must be http://host:port"
            )
        name = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
        headers = {}
        if parts.username is not None:
            word = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Proxy-Authorization"] = f"Basic {base64.b64encode(word.encode()).decode()}"
        if scheme == "http":
            connection = self._connection(parts.scheme, f"{name}:{parts.port}")
            return connection, f"http://{server}", {**headers, "Host": server}
        # What goes to the proxy is in clear, and then TLS with the server itself.
        tunnel = http.client.HTTPSConnection(
            f"{name}:{parts.port}", timeout=self._timeout, context=self._tls()
        )
        tunnel.set_tunnel(server, headers=headers)
        return tunnel, "", {}

    def _connection(self, scheme: str, server: str) -> http.client.HTTPConnection:
        if scheme == "https":
            return http.client.HTTPSConnection(server, timeout=self._timeout, context=self._tls())
        return http.client.HTTPConnection(server, timeout=self._timeout)

    def _tls(self) -> ssl.SSLContext:
        with self._lock:  # it reads the certificates of the system, which takes time
            if self._context is None:
                self._context = ssl.create_default_context()
            return self._context


def _proxy_for(scheme: str, server: str) -> str | None:
    from urllib.request import getproxies_environment, proxy_bypass

    proxies = getproxies_environment()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or proxy_bypass(server):
        return None
    return proxy

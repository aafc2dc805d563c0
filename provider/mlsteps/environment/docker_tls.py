"""How a Docker engine is spoken to by TLS. Docker's SDK takes a second, so only who connects imports this."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from docker.tls import TLSConfig  # noqa: TID253
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from docker import APIClient


class EngineTls(TLSConfig):  # type: ignore[misc]
    """Certificates for one engine, which count whatever the worker's environment says.

    ``requests`` would let ``REQUESTS_CA_BUNDLE`` stand in place of the engine's own, and Docker's SDK leaves
    host names and versions of TLS out since its version 7.

    Args:
        client_cert: paths of this side's certificate and key.
        ca_cert: path of the certificates that may have signed the engine's; ``None`` for the usual ones.
        verify: whether the engine's certificate is looked at.
        assert_hostname: the name in it, where that is not the address; ``False`` for any.
        oldest: version of TLS.
    """

    def __init__(
        self,
        client_cert: tuple[str, str] | None,
        ca_cert: str | None,
        verify: bool,
        assert_hostname: str | bool | None = None,
        oldest: ssl.TLSVersion | None = None,
    ) -> None:
        super().__init__(client_cert=client_cert, ca_cert=ca_cert, verify=verify)
        self.pool_settings: dict[str, Any] = {}
        if assert_hostname is not None:
            self.pool_settings["assert_hostname"] = assert_hostname
        if oldest is not None:
            self.pool_settings["ssl_minimum_version"] = oldest

    @classmethod
    def like(cls, config: TLSConfig) -> EngineTls:
        """What Docker's SDK found, such as by ``DOCKER_CERT_PATH``."""
        return cls(config.cert, config.ca_cert, bool(config.verify))

    def configure_client(self, client: APIClient) -> None:
        """Have a client use it, before its first request."""
        super().configure_client(client)
        client.mount("https://", _Adapter(self))


class _Adapter(HTTPAdapter):
    def __init__(self, tls: EngineTls) -> None:
        self._tls = tls
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **settings: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **settings, **self._tls.pool_settings)

    def send(self, request: Any, *arguments: Any, **settings: Any) -> Any:
        if not self._tls.verify:
            settings["verify"] = False
        elif self._tls.ca_cert:
            settings["verify"] = self._tls.ca_cert
        return super().send(request, *arguments, **settings)

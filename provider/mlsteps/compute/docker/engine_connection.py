"""Where an engine is and how it is spoken to, as a connection of Airflow's says."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlsteps.environment.docker_client import EngineAddress
from mlsteps.environment.redaction import redact
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from mlsteps.environment.docker_tls import EngineTls

_TYPES = ("docker", "generic")
_SCHEMES = ("tcp", "ssh", "unix")
_FILES = ("ca_cert", "client_cert", "client_key")
_TLS = (*_FILES, "verify", "assert_hostname", "ssl_version")
_OF_REGISTRIES = ("email", "reauth")  # which Airflow's form for the type "docker" fills in
_VERSIONS = {"TLSv1_2": ssl.TLSVersion.TLSv1_2, "TLSv1_3": ssl.TLSVersion.TLSv1_3}
_WORDS = {"true": True, "false": False}


def address_of(name: str, url: str | None, engine_conn_id: str | None) -> EngineAddress:
    """The engine that a compute target names.

    :param name: Of the compute target, for errors.
    :raises ComputeTargetException: there is no such connection, or it does not say how to reach an engine.
    """
    if engine_conn_id is None:
        return EngineAddress(url)
    where = f"Compute target {name!r}, connection {engine_conn_id!r}"
    from airflow.sdk import BaseHook

    try:
        connection = BaseHook.get_connection(engine_conn_id)
    except Exception as error:  # each backend of connections has errors of its own
        raise ComputeTargetException(
            f"{where}: it cannot be looked up: {redact(str(error))}. Make it, or correct engine_conn_id."
        ) from None
    if connection.conn_type not in _TYPES:
        raise ComputeTargetException(
            f"{where}: its type is {connection.conn_type!r}; that of an engine is 'docker' or 'generic'."
        )
    try:
        extra: Mapping[str, Any] = connection.extra_dejson
    except Exception:  # the text may hold what nobody should read
        raise ComputeTargetException(f"{where}: its extra is no JSON.") from None
    unknown = sorted(set(extra) - {"url", *_TLS, *_OF_REGISTRIES})
    if unknown:
        raise ComputeTargetException(
            f"{where}: its extra has {', '.join(unknown)}; of an engine it may have url, {', '.join(_TLS)}."
        )
    found = _url(where, connection, extra)
    return EngineAddress(found, _tls(where, found, extra), engine_conn_id)


def _url(where: str, connection: Any, extra: Mapping[str, Any]) -> str:
    text = str(extra.get("url") or connection.host or "")
    if not text:
        raise ComputeTargetException(
            f"{where}: it does not say where the engine is. Give it host, port and schema (tcp, ssh or "
            f"unix), or a url in its extra, such as tcp://gpu-1.internal:2376."
        )
    if "://" not in text:
        scheme = "unix" if text.startswith("/") else connection.schema or "tcp"
        text = f"{scheme}://{text}"
    scheme, _, rest = text.partition("://")
    if scheme not in _SCHEMES:
        raise ComputeTargetException(f"{where}: an engine is reached by tcp, ssh or unix, not {scheme!r}.")
    if scheme == "unix":
        return text
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        raise ComputeTargetException(f"{where}: the port in its address is no number.") from None
    if parts.password or connection.password:
        raise ComputeTargetException(
            f"{where}: it has a password, and no engine is opened by one. Give it the paths of certificates "
            f"(tcp), or put keys into the worker's ~/.ssh (ssh); a registry's password is docker_conn_id's."
        )
    rest = rest.rstrip("/")
    if scheme == "ssh" and connection.login and parts.username is None:
        rest = f"{connection.login}@{rest}"
    if port is None and (connection.port or scheme == "tcp"):
        if not connection.port:
            raise ComputeTargetException(f"{where}: it has no port; engines often listen at 2376, with TLS.")
        rest = f"{rest}:{connection.port}"
    return f"{scheme}://{rest}"


def _tls(where: str, url: str, extra: Mapping[str, Any]) -> EngineTls | None:
    given = {key: extra[key] for key in _TLS if extra.get(key) not in (None, "")}
    if not given:
        return None
    if not url.startswith("tcp://"):
        raise ComputeTargetException(f"{where}: {', '.join(given)}: certificates are for engines by tcp.")
    for key in _FILES:
        if key in given and not os.access(str(given[key]), os.R_OK):
            raise ComputeTargetException(
                f"{where}: {key} in its extra is the path of a PEM file, and this worker can read no file "
                f"at the one given."
            )
    if ("client_cert" in given) != ("client_key" in given):
        raise ComputeTargetException(f"{where}: client_cert and client_key go together.")
    verify = _flag(given.get("verify", True))
    if not isinstance(verify, bool):
        raise ComputeTargetException(f"{where}: verify in its extra is true or false.")
    version = given.get("ssl_version")
    if version is not None and version not in _VERSIONS:
        raise ComputeTargetException(f"{where}: ssl_version in its extra is one of {', '.join(_VERSIONS)}.")
    from mlsteps.environment.docker_tls import EngineTls

    return EngineTls(
        (given["client_cert"], given["client_key"]) if "client_key" in given else None,
        given.get("ca_cert"),
        verify,
        _flag(given.get("assert_hostname")),
        _VERSIONS[version] if version is not None else None,
    )


def _flag(value: Any) -> Any:
    """A connection that is written as a URI has texts only."""
    return _WORDS.get(value.lower(), value) if isinstance(value, str) else value

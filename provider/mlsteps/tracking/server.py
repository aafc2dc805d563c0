"""MlflowServer: where a workspace's runs and models are forwarded to."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

from mlsteps.environment.own_program import folder_of_library
from mlsteps.exceptions import MlstepsException, WorkspaceException
from mlsteps.mlflow_config import check_tracking_uri

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace

EXTRA = "pip install 'airflow-provider-mlsteps[mlflow]'"
_VARIABLE = "MLFLOW_TRACKING_URI"
_LIBRARY = "mlflow"
# Connections need Airflow.
_CONNECTIONS = "mlsteps.hooks.mlflow"
_SECONDS_TO_ANSWER = 5

_LOG = logging.getLogger(__name__)


class NotSent(MlstepsException):
    """MLflow did not take something."""


@dataclass(frozen=True)
class Credentials:
    """Who asks. Without any, MLflow's own variables and files count, as everywhere.

    :param username, password: Of a user,
    :param token: or instead of one.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def hidden_in(self, text: str) -> str:
        """A text without the secrets."""
        for secret in filter(None, (self.password, self.token)):
            text = text.replace(secret, "***")
        return text


@dataclass(frozen=True)
class MlflowServer:
    """An MLflow server, and how much of a workspace it gets.

    :param uri: Its address.
    :param library: The folder that its client is imported from.
    :param most_bytes: Of a file that is sent.
    :param seconds: That the forwarding of one step may take.
    """

    uri: str
    library: str
    credentials: Credentials
    most_bytes: float
    seconds: float

    def check(self) -> None:
        """Whether anybody is there at all, so that a server that is down costs little.

        :raises NotSent: nobody answers.
        """
        import httpx

        try:
            # Nothing is told, so it does not matter whose certificate it is; the client does check it.
            httpx.get(f"{self.uri}/health", timeout=min(_SECONDS_TO_ANSWER, self.seconds), verify=False)
        except httpx.HTTPError as error:
            raise NotSent(f"{type(error).__name__}: {error}") from None


def server_of(workspace: Workspace) -> MlflowServer | None:
    """The server of a workspace; None if there is none, or its client is not installed.

    :raises WorkspaceException: the connection is missing, or there is an address neither in it nor elsewhere.
    """
    config = workspace.config.mlflow
    if not config.enabled:
        return None
    uri, credentials = config.tracking_uri, Credentials()
    if config.conn_id:
        read: Callable[[str], tuple[str | None, Credentials]] = import_module(_CONNECTIONS).mlflow_connection
        address, credentials = read(config.conn_id)
        uri = uri or address or ""
        if not uri:
            raise WorkspaceException(
                f"Connection {config.conn_id!r}, which the workspace's 'mlflow' names, has no host, and "
                f"'mlflow' has no tracking_uri: one of them has to say where MLflow is."
            )
        check_tracking_uri(uri, f"Connection {config.conn_id!r}")
    if not uri:
        uri = os.environ.get(_VARIABLE, "")
        if not uri.startswith(("http://", "https://")):  # a file or a database is for the code that set it
            return None
        check_tracking_uri(uri, f"The variable {_VARIABLE}")
    library = folder_of_library(_LIBRARY)
    if library is None:
        if config.conn_id or config.tracking_uri:
            _LOG.warning("Nothing is forwarded to MLflow: its client is not installed here. %s", EXTRA)
        return None
    return MlflowServer(uri.rstrip("/"), library, credentials, config.max_file_mb * 1e6, config.timeout)

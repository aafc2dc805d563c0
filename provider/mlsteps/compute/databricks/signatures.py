"""``credentials: sas``: signatures for one run, in a secret scope, where the cluster looks them up."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from mlsteps.compute.databricks.api import Databricks
from mlsteps.compute.databricks.task import DatabricksTask
from mlsteps.compute.job import JobInput, JobOutput, StepJob
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from mlsteps.compute.databricks.databricks_compute import DatabricksCompute
    from mlsteps.data.stores.azure_blob import AzureBlobStore

# For a run without a limit; and for its way to a cluster.
_LASTING = 24 * 3600.0
_STARTING = 3600.0
# Azure gives out keys to sign with for a week at most.
_LONGEST = 7 * 24 * 3600.0 - 3600.0
_AZURE = re.compile(r"(abfss|wasbs)://([^@/]+)@([^/]+)/")


def signed_by(job: str, port: JobInput | JobOutput, url: str) -> tuple[str, str] | None:
    """The secret that is to hold the signature for a place, and Spark's setting that takes it.

    :param job: The job's id.
    :param url: What the cluster calls the place.
    :returns: None where no signature opens it.
    """
    found = _AZURE.match(url)
    if found is None or _azure(port) is None:
        return None
    scheme, container, host = found.groups()
    secret = f"mlsteps-{hashlib.sha256(f'{job}/{container}@{host}'.encode()).hexdigest()[:40]}"
    if scheme == "wasbs":
        return secret, f"fs.azure.sas.{container}.{host}"
    return secret, f"fs.azure.sas.fixed.token.{host}"


class Signatures:
    """The signatures of one job.

    :param ports: Its inputs and outputs, each with the secret and the setting of :func:`signed_by`.
    :raises ComputeTargetException: Spark's driver takes fewer signatures than there would have to be.
    """

    def __init__(
        self,
        target: DatabricksCompute,
        task: DatabricksTask,
        ports: Sequence[tuple[JobInput | JobOutput, str, str]],
    ) -> None:
        self._target, self._task = target, task
        self._ports = ports
        secrets: dict[str, str] = {}
        for port, secret, setting in ports:
            if secrets.setdefault(setting, secret) != secret:
                raise ComputeTargetException(
                    f"Step {task.step!r}, {port.name!r}, on compute target {target.name!r}: by abfss a "
                    f"cluster takes one signature for each storage account, and another container of this "
                    f"one is needed as well. Keep them in one, or give the target url_scheme='wasbs'."
                )

    def put(self, databricks: Databricks, job: StepJob) -> None:
        """Sign, and put the signatures where the cluster finds them.

        :raises ComputeTargetException: the datastore's connection cannot sign, or they cannot be put there.
        """
        seconds = (self._task.timeout_seconds or job.task_limit or _LASTING) + _STARTING
        for secret in sorted({secret for _, secret, _ in self._ports}):
            ports = [port for port, own, _ in self._ports if own == secret]
            store = _azure(ports[0])
            assert store is not None
            if not store.signer.can_sign:
                raise ComputeTargetException(
                    f"Step {self._task.step!r}, {ports[0].name!r}: the connection of {store.url('')} cannot "
                    f"sign. It needs the account's key or a service principal."
                )
            write = any(isinstance(port, JobOutput) for port in ports)
            with store.telling("Signing for", ""):
                signature = store.signer.cluster(store.container, min(seconds, _LONGEST), write=write)
            databricks.put_secret(self._target.secret_scope, secret, signature)

    @property
    def staged(self) -> dict[str, str] | None:
        """By what another process finds them to delete them, as plain JSON; None if there are none."""
        if not self._ports:
            return None
        return {
            "databricks_conn_id": self._target.databricks_conn_id,
            "secret_scope": self._target.secret_scope,
            "secrets": " ".join(sorted({secret for _, secret, _ in self._ports})),
        }

    def delete(self, databricks: Databricks) -> None:
        """Delete them; one that stays is of no use soon."""
        if self.staged is not None:
            delete_secrets(databricks, self.staged)


def delete_secrets(databricks: Databricks, staged: Mapping[str, str]) -> None:
    """Delete the secrets of a job, see :attr:`Signatures.staged`."""
    for secret in staged["secrets"].split():
        with suppress(ComputeTargetException):
            databricks.delete_secret(staged["secret_scope"], secret)


def _azure(port: JobInput | JobOutput) -> AzureBlobStore | None:
    try:
        from mlsteps.data.stores.azure_blob import AzureBlobStore
    except ImportError:  # Azure's libraries are not here, so no store is one of its
        return None
    return port.store if isinstance(port.store, AzureBlobStore) else None

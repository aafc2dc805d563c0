"""StagingArea: a container that one job has to itself while it lasts, on somebody's storage account."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeVar

from mlsteps.data.stores.azure_blob import AzureBlobStore
from mlsteps.exceptions import ComputeTargetException
from mlsteps.launcher.places import Place

if TYPE_CHECKING:
    from mlsteps.compute.job import StepJob

T = TypeVar("T")

_PREFIX = "mlsteps-job-"
# Azure gives out keys to sign with for a week at most.
LONGEST_SIGNATURE = 7 * 24 * 3600.0 - 3600.0
_STEP = "step"
# No job lasts that long: no signature does.
FORGOTTEN = timedelta(days=8)


class StagingArea:
    """Where a job finds what it is, and leaves what it made and what became of it.

    Its one signature opens this container and nothing else of the account, can neither list nor delete, and
    is of no use when the container is gone. So a job that is not to be trusted can spoil its own results, and
    nobody else's.

    :param home: A store of the account that it is on; none of its files are touched.
    :param name: The container's.
    """

    def __init__(self, home: AzureBlobStore, name: str) -> None:
        self.name = name
        self.home = home.url("")
        self.store = AzureBlobStore(home.account, name)
        self._home = home

    @classmethod
    def of_job(cls, home: AzureBlobStore, job: str) -> StagingArea:
        """The area of the job with this id: whoever knows it finds the same again."""
        # Two Airflows may have runs of one name, each with a place of its own for what they keep.
        whose = f"{home.url('')}\0{job}".encode()
        return cls(home, f"{_PREFIX}{hashlib.sha256(whose).hexdigest()[:40]}")

    def make(self, step: str | None = None) -> bool:
        """Make it; False if it is there already.

        :param step: What all tries of a step have in common, for :meth:`sweep`.
        :raises ComputeTargetException: the credentials do not allow that.
        """
        from azure.core.exceptions import ResourceExistsError

        def create() -> bool:
            try:
                self.store.container_client.create_container(metadata={_STEP: step} if step else None)
            except ResourceExistsError:
                return False
            return True

        return self._allowed("make a container for the job's data", create)

    def beside(self, name: str) -> StagingArea:
        """Another area of this account.

        :raises ComputeTargetException: the name is not one of an area.
        """
        if not name.startswith(_PREFIX):
            raise ComputeTargetException(f"{name!r} is no staging area.")
        return StagingArea(self._home, name)

    def exists(self) -> bool:
        """Whether it is there."""
        return bool(self.store.container_client.exists())

    def place(self, seconds: float) -> Place:
        """All of it, signed for a while.

        :raises ComputeTargetException: nothing can be signed.
        """
        query = self._allowed("sign", lambda: self._home.signer.job(self.store.container, seconds))
        return Place(self.store.url(""), query)

    def delete(self) -> None:
        """Delete it and all that is in it; that it cannot be is no error, as :meth:`sweep` comes by."""
        with contextlib.suppress(Exception):
            self.store.container_client.delete_container()

    def sweep(self, step: str | None = None) -> None:
        """Delete areas of this account that nobody came back to, as after a worker was killed.

        :param step: Those of other tries of this step at once; of others when they are so old that no
            signature is good any more.
        """
        oldest = datetime.now(timezone.utc) - FORGOTTEN
        with contextlib.suppress(Exception):  # nothing depends on it
            client = self._home.account.client
            for found in client.list_containers(name_starts_with=_PREFIX, include_metadata=True):
                earlier = step is not None and (found.metadata or {}).get(_STEP) == step
                if found.name != self.name and (earlier or found.last_modified < oldest):
                    client.delete_container(found.name)

    def _allowed(self, doing: str, call: Callable[[], T]) -> T:
        from azure.core.exceptions import AzureError, HttpResponseError

        from mlsteps.data.stores.azure_account import safe_text

        try:
            return call()
        except AzureError as error:
            advice = (
                " It takes the account's key, or the roles Storage Blob Data Contributor and Storage Blob "
                "Delegator."
            )
            raise ComputeTargetException(
                f"{self._home.account.label} cannot {doing} on {self._home.endpoint}: {safe_text(error)}"
                f"{advice if isinstance(error, HttpResponseError) else ''}"
            ) from None


def home_of(job: StepJob, compute: str) -> AzureBlobStore:
    """The store on whose account a job's area shall be: of its outputs, its inputs or the records.

    :param compute: The compute target's name, for the error.
    :raises ComputeTargetException: there is none.
    """
    records = job.locks.store if job.locks is not None else None
    data = [*(port.store for port in job.outputs), *(port.store for port in job.inputs)]
    return home_among([*data, records], compute)


def step_label(job: StepJob, area: StagingArea) -> str:
    """The same for all tries of a step; of another Airflow's step of the same name it is another one."""
    return hashlib.sha256(f"{area.home}\0{job.step}".encode()).hexdigest()[:40]


def home_among(stores: Iterable[object], compute: str) -> AzureBlobStore:
    """The first of some stores on whose account there can be a staging area.

    :param compute: The compute target's name, for the error.
    :raises ComputeTargetException: there is none.
    """
    for store in stores:
        if isinstance(store, AzureBlobStore) and store.signer.can_sign:
            return store
    raise ComputeTargetException(
        f"Compute target {compute!r} runs jobs where this worker's folders are not, and hands data over by a "
        f"storage account: keep the workspace's records, or the step's data, on an Azure Blob datastore "
        f"whose credentials can sign (an account key, or a signed-in identity)."
    )

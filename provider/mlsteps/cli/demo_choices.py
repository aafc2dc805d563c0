"""The choices of a demo: where it keeps what it makes, and where its scripts run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mlsteps.exceptions import MlstepsException

FOLDER = "folder"
AZURITE = "azurite"


class Compute(str, Enum):
    """This machine, containers of a Docker engine, or pods of a Kubernetes cluster."""

    LOCAL = "local"
    DOCKER = "docker"
    KUBERNETES = "kubernetes"


@dataclass(frozen=True)
class ClusterChoice:
    """What a demo in pods is told of the cluster.

    :param connection: Id of an Airflow connection; None is the cluster that kubectl finds.
    :param namespace: Of the pods; None is the connection's.
    :param push_to: A repository for the image that is made; None takes an image that has all that is needed.
    """

    connection: str | None = None
    namespace: str | None = None
    push_to: str | None = None


@dataclass(frozen=True)
class Place:
    """All of them.

    :param storage: ``folder``, ``azurite``, or the id of an Airflow connection to a storage account.
    :param image: What containers are made from; None is an image of this machine's Python.
    :param host: An address of this machine, by which pods reach Azurite.
    :raises MlstepsException: they do not go together; the text says what is missing.
    """

    storage: str = FOLDER
    compute: Compute = Compute.LOCAL
    image: str | None = None
    host: str = "127.0.0.1"
    cluster: ClusterChoice = ClusterChoice()

    def __post_init__(self) -> None:
        if self.compute is not Compute.KUBERNETES:
            return
        if self.storage == FOLDER:
            raise MlstepsException(
                "Pods do not reach a folder of this machine: keep the workspace on blobs. Give --storage "
                "(make: WORKSPACE=) the id of an Airflow connection to an Azure storage account; or "
                "'azurite', and with --host an address of this machine that pods reach."
            )
        if self.cluster.push_to is None and self.image is None:
            raise MlstepsException(
                "Nodes have to pull an image that has what the demo's scripts import. Give --push-to (make: "
                "PUSH_TO=) a repository that they pull from: the image is made and pushed there. Or name one "
                "that has Python, scikit-learn, pandas, matplotlib and joblib with --image (make: IMAGE=)."
            )

    @property
    def folder(self) -> str:
        """Name of the workspace's folder."""
        storage = "" if self.storage == FOLDER else f"-{self.storage}"
        compute = "" if self.compute is Compute.LOCAL else f"-{self.compute.value}"
        return f"workspace{storage}{compute}"

    @property
    def make_command(self) -> str:
        """How make is called for it."""
        given = {
            "WORKSPACE": None if self.storage == FOLDER else self.storage,
            "COMPUTE": None if self.compute is Compute.LOCAL else self.compute.value,
            "IMAGE": self.image,
            "AZURITE_HOST": None if self.host == Place.host else self.host,
            "CLUSTER": self.cluster.connection,
            "NAMESPACE": self.cluster.namespace,
            "PUSH_TO": self.cluster.push_to,
        }
        return " ".join(["make demo", *(f"{name}={value}" for name, value in given.items() if value)])

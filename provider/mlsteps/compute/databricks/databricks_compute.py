"""DatabricksCompute: a Databricks workspace, where DatabricksSteps run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from mlsteps.compute.base import ComputeTarget
from mlsteps.compute.configuration import ComputeConfiguration
from mlsteps.exceptions import ComputeTargetException

if TYPE_CHECKING:
    from mlsteps.compute.databricks.on_task import DatabricksTaskTarget
    from mlsteps.compute.databricks.task import DatabricksTask
    from mlsteps.compute.job import JobOutcome, JobWatcher, StepJob

DEFAULTS: Mapping[str, Any] = {
    "databricks_conn_id": "databricks_default",
    "credentials": "identity",
    "secret_scope": "amlscope",
    "url_scheme": "abfss",
    "upload_to": "/Shared/mlsteps",
    "spark_version": "15.4.x-scala2.12",
    "node_type": "Standard_D3_v2",
    "deferrable": True,
    "poll_seconds": 20,
}


class DatabricksCompute(ComputeTarget):
    """A Databricks workspace, by an Airflow connection. Give it to :class:`~mlsteps.DatabricksStep`.

    Code there reads and writes data itself; none of it passes through the worker.

    :param name: The name it goes by.
    :param databricks_conn_id: Airflow's connection of type ``databricks``.
    :param credentials: How the code opens Azure storage: by the cluster's own ``identity``, or by the
        account's key in a ``secret`` scope, which then is a setting of new clusters and is named in SDK v1's
        widgets, or in the same way by a signature for this run alone (``sas``).
    :param secret_scope: The secret scope.
    :param secrets: Names of the keys' secrets in it, by account; default: the account's name.
    :param url_scheme: ``abfss``, or ``wasbs`` as in SDK v1.
    :param places: What folders of the worker, or URLs, are called on a cluster:
        ``{"/data/lake": "/Volumes/main/ml/lake"}``.
    :param upload_to: Folder for source directories: of the workspace (``/Shared/...``), of a Volume
        (``/Volumes/...``), or of DBFS (``dbfs:/...``). Who may write there decides what code runs.
    :param spark_version: Of new clusters that do not say.
    :param node_type: As ``spark_version``.
    :param deferrable: Whether Airflow's triggerer waits for runs; else a worker does.
    :param poll_seconds: How often a run is looked at.
    :raises ComputeTargetException: a setting is unusable.

    (SDK v1: ``azureml.core.compute.DatabricksCompute``.)
    """

    kind = "databricks"
    type = "Databricks"

    def __init__(
        self,
        name: str = "databricks",
        databricks_conn_id: str = DEFAULTS["databricks_conn_id"],
        credentials: Literal["identity", "secret", "sas"] = DEFAULTS["credentials"],
        secret_scope: str = DEFAULTS["secret_scope"],
        secrets: Mapping[str, str] | None = None,
        url_scheme: Literal["abfss", "wasbs"] = DEFAULTS["url_scheme"],
        places: Mapping[str, str] | None = None,
        upload_to: str = DEFAULTS["upload_to"],
        spark_version: str = DEFAULTS["spark_version"],
        node_type: str = DEFAULTS["node_type"],
        deferrable: bool = DEFAULTS["deferrable"],
        poll_seconds: float = DEFAULTS["poll_seconds"],
    ) -> None:
        super().__init__(name)
        self.databricks_conn_id = databricks_conn_id
        self.credentials = credentials
        self.secret_scope = secret_scope
        self.secrets = dict(secrets or {})
        self.url_scheme = url_scheme
        self.places = dict(places or {})
        self.upload_to = upload_to
        self.spark_version = spark_version
        self.node_type = node_type
        self.deferrable = deferrable
        self.poll_seconds = poll_seconds
        _check(self)

    def describe(self) -> Mapping[str, Any]:
        """Name and settings, for records."""
        settings = {key: getattr(self, key) for key in (*DEFAULTS, "secrets", "places")}
        known = {key: value for key, value in settings.items() if value != DEFAULTS.get(key, {})}
        return {"type": self.kind, "name": self.name, **known}

    def run(self, job: StepJob, watcher: JobWatcher) -> JobOutcome:
        """Refuse: it runs no scripts by itself."""
        raise ComputeTargetException(
            f"Compute target {self.name!r} is a Databricks workspace. Use a DatabricksStep there, with "
            f"python_script_name= for a script, or give this step another compute target."
        )

    def for_task(
        self, task: DatabricksTask, tell_page: Callable[[str], None] = lambda url: None
    ) -> DatabricksTaskTarget:
        """What runs one task here.

        :param tell_page: Called with the address of the run's page.
        """
        from mlsteps.compute.databricks.on_task import DatabricksTaskTarget

        return DatabricksTaskTarget(self, task, tell_page)

    # As in SDK v1

    @staticmethod
    def attach_configuration(
        resource_group: str | None = None,
        workspace_name: str | None = None,
        resource_id: str | None = None,
        access_token: str = "",
        *,
        databricks_conn_id: str | None = None,
        credentials: Literal["identity", "secret", "sas"] | None = None,
        secret_scope: str | None = None,
        secrets: Mapping[str, str] | None = None,
        url_scheme: Literal["abfss", "wasbs"] | None = None,
        places: Mapping[str, str] | None = None,
        upload_to: str | None = None,
    ) -> ComputeConfiguration:
        """What to attach. Address and token are those of Airflow's connection ``databricks_conn_id``.

        The names of Azure's resource are of no effect beside it, and a token that is given is kept nowhere.

        :raises ComputeTargetException: no connection is named.
        """
        if not databricks_conn_id:
            raise ComputeTargetException(
                "DatabricksCompute.attach_configuration: nothing here keeps addresses and access tokens of "
                "Databricks workspaces. Make an Airflow connection of type databricks, with the workspace's "
                "address as host and the token as password, and name it: "
                "attach_configuration(databricks_conn_id=...)."
            )
        return ComputeConfiguration(
            {
                "type": DatabricksCompute.kind,
                "databricks_conn_id": databricks_conn_id,
                "credentials": credentials,
                "secret_scope": secret_scope,
                "secrets": dict(secrets) if secrets else None,
                "url_scheme": url_scheme,
                "places": dict(places) if places else None,
                "upload_to": upload_to,
            }
        )


_CHOICES = {"credentials": ("identity", "secret", "sas"), "url_scheme": ("abfss", "wasbs")}
_TEXTS = ("databricks_conn_id", "secret_scope", "upload_to", "spark_version", "node_type")


def _check(target: DatabricksCompute) -> None:
    where = f"Compute target {target.name!r}"
    for setting, known in _CHOICES.items():
        if getattr(target, setting) not in known:
            told = " or ".join(repr(one) for one in known)
            raise ComputeTargetException(f"{where}: {setting} is {told}, not {getattr(target, setting)!r}.")
    for setting in _TEXTS:
        value = getattr(target, setting)
        if not isinstance(value, str) or not value.strip():
            raise ComputeTargetException(f"{where}: {setting} is a text, not {value!r}.")
    for setting in ("places", "secrets"):
        texts = [part for pair in getattr(target, setting).items() for part in pair]
        if not all(isinstance(text, str) and text for text in texts):
            raise ComputeTargetException(f"{where}: {setting} says texts by texts.")
    if not target.upload_to.startswith(("/", "dbfs:/")):
        raise ComputeTargetException(
            f"{where}: upload_to is a folder of the workspace such as /Shared/mlsteps, of a Volume such as "
            f"/Volumes/main/ml/code, or of DBFS such as dbfs:/mlsteps, not {target.upload_to!r}."
        )
    seconds: Any = target.poll_seconds
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
        raise ComputeTargetException(f"{where}: poll_seconds is a number above 0, not {seconds!r}.")

"""The link "Reused from" on a task's page in Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

    from mlsteps.reuse.entry import Origin

# The XCom that says why a step ran, or was reused.
REUSE_KEY = "reuse"


class ReusedFromLink(BaseOperatorLink):
    """Leads from a step that was reused to the task that made its result; steps that ran have none."""

    name = "Reused from"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address within Airflow's pages; empty for a step that ran. Called when the task ends."""
        return str(getattr(operator, "reused_from_url", ""))

    @staticmethod
    def url(origin: Origin) -> str:
        """The address of the task that made a result."""
        mapped = f"/mapped/{origin.map_index}" if origin.map_index >= 0 else ""
        dag, run, task = (quote(part, safe="") for part in (origin.dag_id, origin.run_id, origin.task_id))
        return f"/dags/{dag}/runs/{run}/tasks/{task}{mapped}"

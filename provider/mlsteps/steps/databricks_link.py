"""The link "Databricks run" on a task's page in Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class DatabricksRunLink(BaseOperatorLink):
    """Leads from a step to the page of its run on Databricks; steps that were reused have none."""

    name = "Databricks run"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The run's page. Called when the task ends; until then its address is in the task's log."""
        return str(getattr(operator, "run_page_url", ""))

"""The Airflow plugin of mlsteps, loaded through the ``airflow.plugins`` entry point.

Airflow imports this module in the API server, the scheduler and the process of every task, so it stays light:
what needs FastAPI is imported inside the property that hands it out.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from mlsteps.compat import allow_references

# A task that pulls a reference need not have imported mlsteps itself.
allow_references()


class MlstepsPlugin(AirflowPlugin):
    """Registers with Airflow what mlsteps adds to its pages and its API."""

    name = "mlsteps"

    # A tab of each DAG run. Airflow resolves the address against its own, wherever that is.
    external_views: list[Any] = [
        {
            "name": "Reuse",
            "href": "mlsteps/reuse?dag_id={DAG_ID}&run_id={RUN_ID}",
            "destination": "dag_run",
            "url_route": "mlsteps-reuse",
        }
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """SDK v1's REST calls, and the page of the tab."""
        from mlsteps.plugin.pages import router
        from mlsteps.publishing.dag_ids import URL_PREFIX
        from mlsteps.rest.app import make_app

        app = make_app()
        app.include_router(router)
        return [{"app": app, "url_prefix": URL_PREFIX, "name": "mlsteps"}]

    @property
    def timetables(self) -> list[Any]:  # type: ignore[override]
        """Timetables that DAGs may have."""
        from mlsteps.timetables import RecurrenceTimetable

        return [RecurrenceTimetable]

"""An Airflow DAG with a step on Databricks that a worker waits for, and one that no worker waits for."""

from datetime import timedelta

from airflow.sdk import DAG

from mlsteps import DatabricksCompute, DatabricksStep, PipelineData, PipelineParameter

# The test's own Databricks sees the folders of this machine.
databricks = DatabricksCompute("dbx", databricks_conn_id="DBX", places={"/": "/"}, poll_seconds=1)

with DAG("on_databricks", schedule=None, default_args={"retries": 1, "retry_delay": timedelta(0)}):
    for name in ("waited_for", "deferred"):
        DatabricksStep(
            name=name,
            notebook_path="/Shared/patient",
            notebook_params={"output": name, "meeting_point": PipelineParameter("meeting_point", "none")},
            outputs=[PipelineData(name)],
            num_workers=1,
            compute_target=databricks,
            deferrable=name == "deferred",
        )

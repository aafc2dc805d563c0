"""SDK v1's REST calls for runs of pipelines, as a part of Airflow's API server."""

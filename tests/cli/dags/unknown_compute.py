"""An Airflow DAG whose step wants a compute target that nobody knows."""

from airflow.sdk import DAG

from mlsteps import PythonScriptStep

with DAG("unknown_compute", schedule=None):
    PythonScriptStep("say.py", name="say", source_directory="scripts", compute_target="gpu-cluster")

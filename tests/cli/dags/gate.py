"""An Airflow DAG whose first step calls the whole run off."""

from airflow.sdk import DAG

from mlsteps import PythonScriptStep

with DAG("gate", schedule=None):
    first = PythonScriptStep("call_off.py", name="first", source_directory="scripts")
    second = PythonScriptStep("call_off.py", name="second", source_directory="scripts")
    second.run_after(first)

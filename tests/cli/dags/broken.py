"""An Airflow DAG file with a mistake."""

from mlsteps import PythonScriptStep

PythonScriptStep("no_such_script.py", name="lost", source_directory="scripts")

"""An Airflow DAG whose step stays until it is told to go on, and leaves processes of every kind behind."""

from datetime import timedelta

from airflow.sdk import DAG

from mlsteps import PipelineData, PipelineParameter, PythonScriptStep

with DAG("stubborn", schedule=None, default_args={"retries": 1, "retry_delay": timedelta(seconds=0)}):
    result = PipelineData("result")
    stay = PythonScriptStep(
        "stay.py",
        name="stay",
        outputs=[result],
        arguments=[PipelineParameter("meeting_point", "none"), result],
        source_directory="scripts",
    )
    PythonScriptStep("show.py", name="show", inputs=[result], arguments=[result], source_directory="scripts")

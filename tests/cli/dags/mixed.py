"""An Airflow DAG with a step, a TaskFlow task that reads what the step made, and parameters of every type."""

from airflow.sdk import DAG, Param, task

from mlsteps import PipelineData, PipelineParameter, PythonScriptStep

with DAG("mixed", schedule=None, params={"greeting": Param("hello", enum=["hello", "bye"])}) as dag:
    made = PipelineData("made")
    step = PythonScriptStep(
        "speak.py",
        name="speak up",
        outputs=[made],
        arguments=[
            made,
            "{{ params.greeting }}",
            PipelineParameter("times", 2),
            PipelineParameter("rate", 0.5),
            PipelineParameter("loud", False),
            PipelineParameter("fail", "no"),
        ],
        source_directory="scripts",
    )

    @task
    def read(reference) -> str:
        print("read", reference.open().read())
        return reference.path

    read(step.outputs["made"])

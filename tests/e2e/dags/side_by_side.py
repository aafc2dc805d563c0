"""An Airflow DAG with steps that can run side by side, a TaskFlow task, and data between them."""

from airflow.sdk import DAG, task

from mlsteps import PipelineData, PipelineParameter, PythonScriptStep

with DAG("side_by_side", schedule=None):

    @task
    def greeting() -> str:
        return "hello"

    made = [PipelineData(f"part_{number}") for number in range(3)]
    makers = [
        PythonScriptStep(
            "make.py",
            name=f"make {number}",
            outputs=[data],
            arguments=[data, greeting(), PipelineParameter("factor", 2), number],
            source_directory="scripts",
        )
        for number, data in enumerate(made)
    ]
    total = PipelineData("total")
    add = PythonScriptStep(
        "add.py",
        name="add",
        inputs=made,
        outputs=[total],
        arguments=[total, *made],
        source_directory="scripts",
    )

    @task
    def read(reference) -> str:
        return reference.open().read()

    read(add.outputs["total"])

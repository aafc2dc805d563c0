"""The same two steps in a DAG of one's own, with a TaskFlow function behind them."""

import json

from airflow.sdk import DAG, task

from mlsteps import (
    OutputFileDatasetConfig,
    PipelineData,
    PipelineParameter,
    PortDataReference,
    PythonScriptStep,
)

with DAG("first_dag", schedule=None) as dag:
    rows = PipelineParameter("rows", 100)
    numbers = OutputFileDatasetConfig("numbers")
    model = PipelineData("model")

    PythonScriptStep(
        "prepare.py",
        name="prepare",
        arguments=["--output", numbers, "--rows", rows],
        source_directory="first_src",
    )
    train = PythonScriptStep(
        "train.py",
        name="train",
        inputs=[numbers],
        outputs=[model],
        arguments=["--data", numbers, "--model", model],
        source_directory="first_src",
    )

    @task
    def announce(model: PortDataReference) -> str:
        with model.open() as stream:
            return f"the mean is {json.load(stream)['mean']:.2f}"

    announce(train.outputs["model"])

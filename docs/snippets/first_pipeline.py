"""Two steps as a Pipeline, which becomes an Airflow DAG."""

from mlsteps import (
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PythonScriptStep,
    Workspace,
)

rows = PipelineParameter("rows", 100)  # a field of the trigger form
numbers = OutputFileDatasetConfig("numbers")  # a folder that exists when the script starts
model = PipelineData("model")  # made by the script: here, a file

prepare = PythonScriptStep(
    "prepare.py",
    name="prepare",
    arguments=["--output", numbers, "--rows", rows],
    source_directory="first_src",  # beside this file
)
train = PythonScriptStep(
    "train.py",
    name="train",
    inputs=[numbers],
    outputs=[model],
    arguments=["--data", numbers, "--model", model],
    source_directory="first_src",
)

pipeline = Pipeline(Workspace(), steps=[train])  # prepare comes along: train needs its output
dag = pipeline.to_dag("first_pipeline", schedule=None)

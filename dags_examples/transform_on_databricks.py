"""Prepare data on a worker, transform it on Databricks, train on a worker: data passes both ways.

It needs a connection `databricks_default`, and a workspace whose default datastore clusters reach, such as
one on Azure Blob Storage. A compute target `databricks` of workspace.yaml is taken instead, if there is one.
No worker waits while Databricks is at work; a second run with the same values computes nothing again.
"""

from mlsteps import (
    DatabricksCompute,
    DatabricksStep,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PythonScriptStep,
    Workspace,
)

workspace = Workspace()
scripts = "transform_on_databricks_src"  # beside this file
databricks = workspace.compute_targets.get("databricks") or DatabricksCompute("databricks")

days = PipelineParameter("days", 7)
largest_gap = PipelineParameter("largest_gap", 0.1)

readings = PipelineData("readings")
hours = PipelineData("hours")
model = PipelineData("model", pipeline_output_name="model")

prepare = PythonScriptStep(
    "prepare.py",
    name="prepare",
    arguments=["--days", days, "--output", readings],
    outputs=[readings],
    source_directory=scripts,
    source_files=["prepare.py"],
)

# The script gets --readings and --hours with URLs that the cluster reads and writes.
transform = DatabricksStep(
    name="transform",
    python_script_name="transform.py",
    python_script_params=[largest_gap],  # its name and its value, as with SDK v1
    inputs=[readings],
    outputs=[hours],
    num_workers=0,  # a single machine
    compute_target=databricks,
    source_directory=scripts,
    source_files=["transform.py"],
)

train = PythonScriptStep(
    "train.py",
    name="train",
    arguments=["--data", hours, "--output", model],
    inputs=[hours],
    outputs=[model],
    source_directory=scripts,
    source_files=["train.py"],
)

# Airflow finds DAGs by the variables of a file.
dag = Pipeline(workspace, steps=[train], description="Predict what machines draw at a temperature").to_dag(
    "transform_on_databricks", schedule=None, doc_md=__doc__, tags=["example"]
)

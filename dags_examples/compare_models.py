"""Train two models side by side, keep the better one, evaluate it on data that neither has seen.

Steps and data make a Pipeline, and the Pipeline makes an Airflow DAG. Put this file and the folder
`compare_models_src` into your DAGs folder, and trigger it with a `test_size` and `seed` of your own.
"""

from mlsteps import (
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PythonScriptStep,
    Workspace,
)

# No configuration needed: without any, this is a folder below $AIRFLOW_HOME.
workspace = Workspace()
scripts = "compare_models_src"  # beside this file
# A step takes its own script along, and these. So an edited script changes its own step, and no other.
shared = ["parts.py"]

# Fields of the trigger form. Scripts get the values as arguments.
test_size = PipelineParameter("test_size", 0.2)
seed = PipelineParameter("seed", 7)

# What steps hand on; a script gets a path in its place. The first is a folder that the script fills, the
# others are made by their scripts, as a file or a folder. A run's get_pipeline_output() finds them by name.
prepared = OutputFileDatasetConfig("prepared")
best_model = PipelineData("best_model", pipeline_output_name="best_model")
report = PipelineData("report", pipeline_output_name="report")

prepare = PythonScriptStep(
    "prepare.py",
    name="prepare",
    arguments=["--output", prepared, "--test-size", test_size, "--seed", seed],
    source_directory=scripts,
    source_files=shared,
)


def trained(kind: str) -> PipelineData:
    """The model that a step of its own trains. No such step waits for another: they run in parallel."""
    model = PipelineData(f"{kind}_model")
    PythonScriptStep(
        "train.py",
        name=f"train_{kind}",
        inputs=[prepared.as_input("data")],
        outputs=[model],
        arguments=["--model", kind, "--data", prepared, "--seed", seed, "--output", model],
        source_directory=scripts,
        source_files=shared,
    )
    return model


logistic, forest = trained("logistic"), trained("forest")

compare = PythonScriptStep(
    "compare.py",
    name="compare",
    inputs=[prepared.as_input("data"), logistic, forest],
    outputs=[best_model],
    arguments=["--data", prepared, "--candidates", logistic, forest, "--output", best_model],
    source_directory=scripts,
    source_files=shared,
)

evaluate = PythonScriptStep(
    "evaluate.py",
    name="evaluate",
    inputs=[prepared.as_input("data"), best_model],
    outputs=[report],
    arguments=["--data", prepared, "--model", best_model, "--report", report],
    source_directory=scripts,
    source_files=shared,
)

# The last step is enough: what it needs comes along, in the order that the data asks for.
pipeline = Pipeline(workspace, steps=[evaluate], description="Compare two models and register the better one")

# Airflow finds DAGs by the variables of a file.
dag = pipeline.to_dag("compare_models", schedule=None, doc_md=__doc__, tags=["example"])

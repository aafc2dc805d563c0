"""The pipeline of `compare_models.py` once more, among TaskFlow functions and somebody else's operators.

A step is an ordinary Airflow operator: its arguments may hold the results of other tasks, and other tasks
take its outputs, as references to the data and never the data itself.
"""

import json

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param, task

from mlsteps import (
    OutputFileDatasetConfig,
    PipelineData,
    PipelineParameter,
    PortDataReference,
    PythonScriptStep,
)

with DAG(
    "compare_models_taskflow",
    schedule=None,
    doc_md=__doc__,
    tags=["example"],
    params={"minimum_auc": Param(0.95, type="number", maximum=1, description="Release a model from here on")},
    # Of all steps; it lies beside this file. Besides its own script a step takes only parts.py along.
    default_args={"source_directory": "compare_models_src", "source_files": ["parts.py"]},
) as dag:
    # Used by a step, it joins the DAG's own params in the trigger form.
    test_size = PipelineParameter("test_size", 0.2)

    @task
    def seed_of_the_week(dag_run=None) -> int:
        """Another split each week; within a week the same one, so that nothing changes without a reason."""
        return dag_run.run_after.isocalendar().week

    @task
    def announcement(model: PortDataReference, report: PortDataReference, params=None) -> str:
        """Decide on the best model. A reference opens single files: nothing else is fetched."""
        with model.open("about.json") as stream:
            about = json.load(stream)
        with report.open() as stream:  # a single file needs no name
            auc = json.load(stream)["auc"]
        decision = "release" if auc >= params["minimum_auc"] else "keep the old one"
        print(f"{model.url} holds {', '.join(model.files())}")
        return f"The {about['model']} model has an AUC of {auc:.3f}: {decision}."

    seed = seed_of_the_week()

    prepared = OutputFileDatasetConfig("prepared")
    logistic = PipelineData("logistic_model")
    forest = PipelineData("forest_model")
    best_model = PipelineData("best_model")
    report = PipelineData("report", is_directory=False)

    PythonScriptStep(
        "prepare.py",
        name="prepare",
        arguments=["--output", prepared, "--test-size", test_size, "--seed", seed],
    )
    for kind, model in {"logistic": logistic, "forest": forest}.items():
        PythonScriptStep(
            "train.py",
            name=f"train_{kind}",
            inputs=[prepared.as_input("data")],
            outputs=[model],
            arguments=["--model", kind, "--data", prepared, "--seed", seed, "--output", model],
        )
    compare = PythonScriptStep(
        "compare.py",
        name="compare",
        inputs=[prepared.as_input("data"), logistic, forest],
        outputs=[best_model],
        arguments=["--data", prepared, "--candidates", logistic, forest, "--output", best_model],
    )
    evaluate = PythonScriptStep(
        "evaluate.py",
        name="evaluate",
        inputs=[prepared.as_input("data"), best_model],
        outputs=[report],
        arguments=["--data", prepared, "--model", best_model, "--report", report],
    )

    # No edge is drawn by hand: each task runs after those whose results it takes.
    announced = announcement(compare.outputs["best_model"], evaluate.outputs["report"])
    BashOperator(
        task_id="tell",
        bash_command='echo "$ANNOUNCEMENT"',
        env={"ANNOUNCEMENT": announced},
        append_env=True,
    )

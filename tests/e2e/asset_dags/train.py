"""An Airflow DAG that trains a model; its scripts lie where TRAIN says."""

import os
from pathlib import Path

from mlsteps import Pipeline, PipelineData, PythonScriptStep, Workspace

SCRIPTS = Path(os.environ["TRAIN"])


def pipeline(on_reuse: str) -> Pipeline:
    rows, model = PipelineData("rows"), PipelineData("model")
    prepare = PythonScriptStep(
        "prepare.py", arguments=[rows], outputs=[rows], source_directory=SCRIPTS / "prepare"
    )
    train = PythonScriptStep(
        "train.py",
        name="train it",
        arguments=[model, rows],
        inputs=[rows],
        outputs=[model],
        source_directory=SCRIPTS / "train",
    )
    return Pipeline(Workspace(), steps=[prepare, train], on_reuse=on_reuse)


dag = pipeline("skip").to_dag("train")
always_green = pipeline("success").to_dag("train_green")

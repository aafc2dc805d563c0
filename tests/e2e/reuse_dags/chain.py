"""An Airflow DAG of ten steps, each reading the one before; their scripts lie where CHAIN says."""

import os
from pathlib import Path

from mlsteps import Pipeline, PipelineData, PythonScriptStep, Workspace

steps = []
before = None
for number in range(1, 11):
    data = PipelineData(f"data_{number}")
    read = [before] if before is not None else []
    step = PythonScriptStep(
        "work.py",
        name=f"step_{number}",
        arguments=[data, *read],
        inputs=read,
        outputs=[data],
        source_directory=Path(os.environ["CHAIN"]) / f"step_{number}",
    )
    before = data

dag = Pipeline(Workspace(), steps=[step]).to_dag("chain")

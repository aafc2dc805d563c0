"""Two Airflow DAGs with the same slow step."""

import os
from pathlib import Path

from mlsteps import Pipeline, PipelineData, PipelineParameter, PythonScriptStep, Workspace


def pipeline() -> Pipeline:
    result = PipelineData("result")
    slow = PythonScriptStep(
        "slow.py",
        name="slow",
        arguments=[result, PipelineParameter("seed", 1), Path(os.environ["CHAIN"]) / "slow-runs"],
        outputs=[result],
        source_directory=Path(os.environ["CHAIN"]) / "slow",
    )
    return Pipeline(Workspace(), steps=[slow])


one = pipeline().to_dag("shared_one")
two = pipeline().to_dag("shared_two")

"""Airflow DAGs of which two have the same slow step, each."""

import os
from pathlib import Path

from mlsteps import Pipeline, PipelineData, PipelineParameter, PythonScriptStep, Workspace


def pipeline(seconds: int) -> Pipeline:
    result = PipelineData("result")
    slow = PythonScriptStep(
        "slow.py",
        name="slow",
        arguments=[
            result,
            PipelineParameter("seed", 1),
            Path(os.environ["CHAIN"]) / f"slow-runs-{seconds}",
            seconds,
        ],
        outputs=[result],
        source_directory=Path(os.environ["CHAIN"]) / "slow",
    )
    return Pipeline(Workspace(), steps=[slow])


one = pipeline(8).to_dag("shared_one")
two = pipeline(8).to_dag("shared_two")
# Longer than the sensor keeps its worker.
long_one = pipeline(45).to_dag("long_one")
long_two = pipeline(45).to_dag("long_two")

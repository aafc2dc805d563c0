"""Steps: Airflow operators with SDK v1's names and arguments."""

from mlsteps.steps.base import PipelineStep
from mlsteps.steps.python_script_step import PythonScriptStep
from mlsteps.steps.sequence import StepSequence

__all__ = ["PipelineStep", "PythonScriptStep", "StepSequence"]

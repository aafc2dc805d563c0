"""Runs as their records tell them: Experiment, PipelineRun and StepRun. No Airflow here."""

from mlsteps.runs.experiment import Experiment, RunRequest
from mlsteps.runs.pipeline_run import PipelineRun
from mlsteps.runs.step_run import StepRun, StepRunOutput

__all__ = ["Experiment", "PipelineRun", "RunRequest", "StepRun", "StepRunOutput"]

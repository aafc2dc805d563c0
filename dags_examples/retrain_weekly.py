"""Retrain every Monday; the new model is registered only if it is better, and somebody agrees.

The model in use is the newest registered one, the champion; what a run trains is its challenger. A person
decides in Airflow's pages, under Required Actions. In a week without new data nothing is trained again: the
earlier challenger stands for this one, and loses against itself.

A backfill (airflow backfill create --dag-id retrain_weekly ...) trains with the data as it was then.
"""

import json
import tempfile
from pathlib import Path

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import task

from mlsteps import (
    Model,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PortDataReference,
    PythonScriptStep,
    ScheduleRecurrence,
    Workspace,
)

workspace = Workspace()
scripts = "retrain_weekly_src"  # beside this file
MODEL = "demand"

weeks = PipelineParameter("weeks", 52, title="Weeks to learn from", minimum=4, maximum=520)
history = PipelineData("history")
challenger = PipelineData("challenger")

prepare = PythonScriptStep(
    "prepare.py",
    name="prepare",
    # The day that a run is for: a backfill's, or when it was started.
    arguments=[
        "--until",
        "{{ (dag_run.logical_date or dag_run.run_after).date() }}",
        "--weeks",
        weeks,
        "--output",
        history,
    ],
    outputs=[history],
    source_directory=scripts,
    source_files=["prepare.py"],
)
train = PythonScriptStep(
    "train.py",
    name="train",
    arguments=["--data", history, "--output", challenger],
    inputs=[history],
    outputs=[challenger],
    source_directory=scripts,
    source_files=["train.py"],
)

dag = Pipeline(workspace, steps=[train], on_reuse="success").to_dag(
    "retrain_weekly",
    schedule=ScheduleRecurrence("Week", 1, week_days=["Monday"], time_of_day="06:00"),
    doc_md=__doc__,
    tags=["example"],
)

with dag:

    @task.branch
    def compare(new: PortDataReference) -> str:
        """Whether the challenger is better than the champion."""
        champion = workspace.models.get(MODEL)
        if champion is not None and float(champion.tags["rmse"]) <= json.load(new.open())["rmse"]:
            return "keep_champion"
        return "approve"

    @task
    def keep_champion() -> None:
        """Nothing is done: what is in use is as good."""

    @task
    def register(new: PortDataReference) -> str:
        """Make the challenger the champion."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.json"
            file.write_bytes(new.open(mode="rb").read())
            tags = {"rmse": json.loads(file.read_bytes())["rmse"]}
            return Model.register(workspace, file, MODEL, tags, description=f"Made by {new.producer.text}").id

    made = dag.get_task("train").outputs["challenger"]
    approve = ApprovalOperator(
        task_id="approve",
        subject="Use the new model of the demand?",
        body="It is better than the one in use. Its record is on the page of the task `train`.",
    )
    compare(made) >> [approve, keep_champion()]
    approve >> register(made)

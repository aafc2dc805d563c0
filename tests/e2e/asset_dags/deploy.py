"""Airflow DAGs that start when there is a new model; they know no more than the names of what makes it."""

import os
from pathlib import Path

from airflow.sdk import DAG, task

from mlsteps import PipelineData, PortDataReference, PythonScriptStep, ReuseSensor, output_asset


@task
def read(triggering_asset_events=None):
    """What the run is about."""
    ((event,),) = triggering_asset_events.values()
    model = PortDataReference.deserialize(event.extra)
    return {"text": model.open().read(), "made_by": event.extra["run_id"], "digest": model.digest}


with DAG("deploy", schedule=[output_asset("train", "train it", "model")]):
    read()
    copy = PipelineData("copy")
    ReuseSensor(task_id="reuse") >> PythonScriptStep(
        "copy.py",
        name="copies",
        arguments=[copy, "{{ (triggering_asset_events.values() | first | last).extra.url }}"],
        outputs=[copy],
        source_directory=Path(os.environ["TRAIN"]) / "copy",
    )

with DAG("deploy_green", schedule=[output_asset("train_green", "train it", "model")]):
    read()

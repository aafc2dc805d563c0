"""The DAG of what is published, made from the JSON beside its DAG file; nothing published runs here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.bundles.manifest import Entry, read_document
from mlsteps.bundles.schedule_plan import SchedulePlan
from mlsteps.bundles.watch_dag import watch_dag
from mlsteps.compat import conf
from mlsteps.definitions import parse
from mlsteps.exceptions import UserErrorException
from mlsteps.pipeline import Pipeline
from mlsteps.publishing.dag_ids import told_publication
from mlsteps.publishing.schedule_view import SCHEDULE_TAG
from mlsteps.runs.dag_ids import PUBLICATION
from mlsteps.steps.form import preset_field
from mlsteps.steps.submitted import Submission, say_of_all_runs
from mlsteps.workspace import Workspace

if TYPE_CHECKING:
    from airflow.sdk import DAG

# All DAG files of the bundle are this text. Airflow passes over files that name neither DAG nor Airflow.
DAG_FILE = '''"""An Airflow DAG that was published with mlsteps. The file beside this one says what it is."""

from mlsteps.bundles.dag_file import dag_of

dag = dag_of(__file__)
'''

_CALLBACKS = ("on_failure_callback", "on_success_callback")

_ENDS_CODE = r"[`\r\n]"


def dag_of(file: str) -> DAG:
    """The DAG that the JSON beside a DAG file describes.

    :param file: The DAG file.
    :raises UserErrorException: something in it is wrong; the text says where.
    """
    entry, locator, definition = read_document(Path(file).with_suffix(".json").read_bytes())
    workspace, plan = Workspace.from_locator(locator), entry.schedule
    arguments: dict[str, Any] = {
        "dag_display_name": entry.name,
        "description": entry.description,
        # Another publication is another version of the DAG for Airflow, even if only code has changed: else
        # runs that are under way would go on with the new code.
        "doc_md": _told(entry),
        "tags": [entry.dag_id.partition(".")[0]],
        "is_paused_upon_creation": not entry.active,
        **_callbacks(),
    }
    if plan is not None and plan.watch is not None:
        dag = watch_dag(entry.dag_id, workspace, plan, arguments)
    else:
        pipeline = Pipeline.from_definition(workspace, parse(definition))
        if plan is not None:
            # Whatever Airflow's default is: a schedule has no past of its own.
            arguments |= {"schedule": plan.timetable, "catchup": False, "params": _preset(pipeline, plan)}
        dag = pipeline.to_dag(entry.dag_id, **arguments)
        said = Submission(properties={PUBLICATION: entry.publication}, continue_on_step_failure=entry.go_on)
        if plan is not None:
            tags = {SCHEDULE_TAG: plan.schedule}
            said = Submission(plan.experiment, tags=tags, continue_on_step_failure=plan.go_on).over(said)
        say_of_all_runs(dag, said)
    dag.fileloc = file
    return dag


def _callbacks() -> dict[str, Any]:
    """Whom to tell of runs: this Airflow's configuration says it, and nobody who publishes.

    :raises AirflowConfigException: something in the configuration cannot be imported.
    """
    found = {name: conf.getimport("mlsteps", name, fallback="") for name in _CALLBACKS}
    return {name: callback for name, callback in found.items() if callback}


def _preset(pipeline: Pipeline, plan: SchedulePlan) -> dict[str, Any]:
    """Fields of the form with the schedule's values as defaults.

    :raises UserErrorException: the pipeline has no such parameter, as the endpoint's new default version may.
    """
    known, unknown = pipeline.parameters, set(plan.parameters) - set(pipeline.parameters)
    if unknown:
        raise UserErrorException(
            f"The schedule sets the parameter {sorted(unknown)[0]!r}, which the pipeline does not have; it "
            f"has {', '.join(known) or 'none'}. Schedule.get(workspace, {plan.schedule!r}).update("
            f"pipeline_parameters=...) sets others."
        )
    return {name: preset_field(known[name], value) for name, value in plan.parameters.items()}


def _told(entry: Entry) -> str:
    rows = [("Published", entry.published)]
    if entry.version is not None:
        rows.append(("Version", entry.version))
    if entry.schedule is not None:
        rows.append(("Schedule", entry.schedule.schedule))
    if not entry.active:
        rows.append(("Status", "Disabled"))
    # As code, because whoever published it chose the words.
    lines = [f"- {name}: `{re.sub(_ENDS_CODE, '', value)}`" for name, value in rows]
    return "\n".join([told_publication(entry.publication), *lines])

"""The DAG that looks at data for the DAG of a schedule: each change starts a run of that, once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mlsteps.asset_uris import watch_uri
from mlsteps.bundles.watch_tasks import ChangedFiles, NoteSeen
from mlsteps.steps.places import workspace_name
from mlsteps.triggers.changed_files import ChangedFilesTrigger

if TYPE_CHECKING:
    from airflow.sdk import DAG, Asset

    from mlsteps.bundles.schedule_plan import SchedulePlan
    from mlsteps.records.watches import Watch
    from mlsteps.workspace import Workspace


def watch_dag(dag_id: str, workspace: Workspace, plan: SchedulePlan, arguments: dict[str, Any]) -> DAG:
    """The DAG: what has changed, a run for each change, and the note that these were seen to.

    Each can be done again at any time. A change has one id, which is that of its run; so a change that is
    told twice, because a triggerer or worker died in between, starts one run.
    """
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
    from airflow.sdk import DAG

    assert plan.watch is not None and plan.starts is not None
    with DAG(
        dag_id,
        schedule=[watched(workspace, plan.watch)],
        catchup=False,
        default_args={"retries": 3, "retry_delay": timedelta(seconds=10)},
        **arguments,
    ) as dag:
        changed = ChangedFiles(
            task_id="changed",
            schedule=plan.schedule,
            parameter=plan.changed_file,
            datastore=plan.watch.datastore,
        )
        start = TriggerDagRunOperator.partial(
            task_id="start",
            trigger_dag_id=plan.starts,
            logical_date=None,
            skip_when_already_exists=True,
            map_index_template="{{ task.trigger_run_id }}",
        ).expand_kwargs(changed.output)
        noted = NoteSeen(task_id="noted", locator=workspace.locator, trigger_rule="none_failed")
        start >> noted
    return dag


def watched(workspace: Workspace, watch: Watch) -> Asset:
    """What is new at a place, as an asset. Schedules that look there as often share it, and one trigger."""
    from airflow.sdk import Asset, AssetWatcher

    trigger = ChangedFilesTrigger(workspace.locator, watch.datastore, watch.path, watch.minutes)
    uri = watch_uri(workspace_name(workspace), watch.datastore, watch.path, watch.minutes)
    return Asset(uri, watchers=[AssetWatcher(name=watch.id, trigger=trigger)])

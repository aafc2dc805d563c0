"""What SDK v1's Run has and ours does not, with what to use instead."""

from __future__ import annotations

_INSTEAD = {
    "clean": "nothing is left to clean: the launcher removes the working directory",
    "get_all_logs": "the task's log in Airflow has them",
    "get_details_with_logs": "use get_details(); the task's log in Airflow has the logs",
    "get_detailed_status": "use get_status()",
    "get_environment": "the environment is declared on the step, and its record names it",
    "get_snapshot_id": "the step's record names the snapshot",
    "restore_snapshot": "the step's record names the git commit",
    "submit_child": "use child_run() to record parts of this script, or a step of its own",
    "take_snapshot": "use upload_folder()",
    "get_steps": "a script sees its own step; use workspace.get_run(run.parent.id) for the others",
    "find_step_run": "a script sees its own step; use workspace.get_run(run.parent.id) for the others",
    "get_outputs": "use output_datasets for the paths of this step's outputs",
    "add_type_provider": "runs are of one class here",
    "list_by_compute": "use workspace.experiments[name].get_runs()",
    "identity": "use id",
}


def missing_attribute(owner: str, name: str) -> AttributeError:
    """The error for ``owner`` having no attribute ``name``."""
    instead = _INSTEAD.get(name)
    return AttributeError(f"{owner} has no attribute {name!r}" + (f": {instead}" if instead else ""))

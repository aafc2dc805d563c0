"""``mlsteps runs`` and ``mlsteps show``: reading records."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mlsteps.cli.tables import STATE_STYLES, steps_table
from mlsteps.exceptions import WorkspaceException
from mlsteps.records import RunRecord, StepRecord, cancel_reason, list_runs, read_steps, run_state
from mlsteps.run import values
from mlsteps.workspace import Workspace

if TYPE_CHECKING:
    from mlsteps.data.stores import Store


def list_runs_command(dag: str | None, limit: int, *, as_json: bool) -> None:
    """Print the newest runs."""
    store = Workspace().record_store()
    found = [_summary(store, run) for run in list_runs(store, dag)[:limit]]
    if as_json:
        print(values.dumps(found))
        return
    console = Console(highlight=False)
    if not found:
        console.print(f"No runs are recorded in {store.url('')}.")
        return
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    for column in ("run", "experiment", "state", "started", "steps"):
        table.add_column(column, overflow="fold")
    for run in found:
        style = STATE_STYLES[run["state"]]
        table.add_row(
            escape(run["run_id"]),
            escape(run["experiment"]),
            f"[{style}]{run['state']}[/{style}]",
            run["created"][:19].replace("T", " "),
            f"{run['started']}/{run['declared']}",
        )
    console.print(table)


def show_command(run_id: str, step_name: str | None, *, logs: bool, as_json: bool) -> None:
    """Print one run, or one step of it."""
    store = Workspace().record_store()
    run = find_run(store, run_id)
    steps = read_steps(store, run)
    if step_name is not None:
        steps = steps_called(step_name, run, steps)
    if as_json:
        print(values.dumps({**_summary(store, run), "steps": [asdict(step) for step in steps]}))
        return
    console = Console(highlight=False)
    summary = _summary(store, run)
    style = STATE_STYLES[summary["state"]]
    console.print(
        f"[bold]{escape(run.run_id)}[/bold]  {escape(run.experiment)}  [{style}]{summary['state']}[/{style}]"
    )
    for label, value in (("parameters", run.parameters), ("tags", run.tags), ("metrics", summary["metrics"])):
        if value:
            console.print(f"{label}: {escape(', '.join(f'{k}={v}' for k, v in value.items()))}")
    console.print(steps_table({"steps": [_as_step(step) for step in steps]}))
    for step in steps:
        if step.error:
            console.print(
                f"\n[bold red]{escape(step.name.strip())}[/bold red]\n{escape(step.error)}", soft_wrap=True
            )
        if step_name is not None:
            console.print(
                values.dumps(asdict(step.with_(metric_events=(), parent_metric_events=()))), soft_wrap=True
            )
        if logs:
            for name in ("stdout.log", "stderr.log"):
                _print_log(console, store, step, name)
    console.print(f"[dim]Records: {escape(store.url(run.folder))}[/dim]", soft_wrap=True)


def find_run(store: Store, wanted: str) -> RunRecord:
    """The run with this id, the only one whose id ends in it, or the newest for ``last``.

    :raises WorkspaceException: there is none, or more than one.
    """
    runs = list_runs(store)
    if wanted == "last" and runs:
        return runs[0]
    found = [run for run in runs if run.run_id == wanted] or [
        run for run in runs if run.run_id.endswith(wanted)
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise WorkspaceException(
            f"No run {wanted!r} is recorded in {store.url('')}; 'mlsteps runs' lists them."
        )
    names = ", ".join(f"{run.run_id} ({run.dag_id})" for run in found[:5])
    raise WorkspaceException(f"{len(found)} runs end in {wanted!r}: {names}.")


def steps_called(name: str, run: RunRecord, steps: list[StepRecord]) -> list[StepRecord]:
    """Those of a run's steps that go by a name or task id.

    :raises WorkspaceException: none does.
    """
    found = [step for step in steps if name in (step.name, step.name.strip(), step.task_id)]
    if not found:
        known = ", ".join(repr(step.name) for step in run.steps)
        raise WorkspaceException(f"Run {run.run_id!r} has no record of a step {name!r}; it has {known}.")
    return found


def _summary(store: Store, run: RunRecord) -> dict[str, Any]:
    from mlsteps.records import parent_metric_events
    from mlsteps.run.metrics import aggregate

    steps = read_steps(store, run)
    canceled = cancel_reason(store, run.dag_id, run.run_id) is not None
    return {
        "run_id": run.run_id,
        "dag_id": run.dag_id,
        "experiment": run.experiment,
        "state": run_state(run, steps, canceled),
        "created": run.created,
        "parameters": dict(run.parameters),
        "tags": dict(run.tags),
        "metrics": aggregate(dict(event) for event in parent_metric_events(steps)),
        "started": len(steps),
        "declared": len(run.steps),
    }


def _as_step(step: StepRecord) -> dict[str, Any]:
    return {
        "name": step.name,
        "state": step.state,
        "seconds": step.seconds,
        "outputs": step.outputs,
        "metrics": step.metrics,
        "reason": step.error or step.reason,
    }


def _print_log(console: Console, store: Store, step: StepRecord, name: str) -> None:
    try:
        text = store.read(f"{step.kept_folder}/{name}").decode("utf-8", errors="replace")
    except FileNotFoundError:
        return
    if text:
        console.rule(escape(f"{step.name.strip()}: {name}"), align="left", style="dim")
        console.print(escape(text), end="", soft_wrap=True)

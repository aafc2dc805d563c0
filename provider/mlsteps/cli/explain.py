"""``mlsteps explain``: why each step of a run ran, or was reused."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape

from mlsteps.cli.records import find_run, steps_called
from mlsteps.cli.tables import STATE_STYLES
from mlsteps.exceptions import MlstepsException
from mlsteps.records import StepRecord, read_steps
from mlsteps.reuse.decision import Decision
from mlsteps.run import values
from mlsteps.workspace import Workspace


def explain_command(run_id: str, step_name: str | None, *, as_json: bool) -> None:
    """Print the decisions of one run, or everything about that of one step."""
    store = Workspace().record_store()
    run = find_run(store, run_id)
    steps = read_steps(store, run)
    if step_name is not None:
        steps = steps_called(step_name, run, steps)
    if as_json:
        print(values.dumps({"run_id": run.run_id, "steps": [_plain(step) for step in steps]}))
        return
    console = Console(highlight=False, soft_wrap=True)
    for step in steps:
        style = STATE_STYLES.get(step.state, "")
        state = f"[{style}]{step.state}[/{style}]" if style else step.state
        console.print(f"[bold]{escape(step.name.strip())}[/bold]  {state}  {escape(_reason(step))}")
        if step_name is not None:
            _tell_everything(console, step)


def _plain(step: StepRecord) -> dict[str, Any]:
    return {
        "name": step.name,
        "task_id": step.task_id,
        "state": step.state,
        "reason": _reason(step),
        "because": dict(step.decision),
        "fingerprint": step.fingerprint,
        "reused_from": dict(step.reused_from),
    }


def _decision(step: StepRecord) -> Decision | None:
    try:
        return Decision.from_plain(step.decision) if step.decision else None
    except MlstepsException:  # written by another version; the words are in the record
        return None


def _reason(step: StepRecord) -> str:
    decision = _decision(step)
    return decision.in_words() if decision is not None else step.reason or "nothing was decided"


def _tell_everything(console: Console, step: StepRecord) -> None:
    decision = _decision(step)
    if decision is not None and decision.origin:
        origin = decision.origin
        what = "reused from" if decision.action == "reuse" else "compared with"
        console.print(
            f"  {what} {escape(str(origin.get('task_id')))} of run {escape(str(origin.get('run_id')))}, "
            f"DAG {escape(str(origin.get('dag_id')))}, made {escape(str(origin.get('created')))}"
        )
    for change in decision.changes if decision is not None else ():
        console.print(f"  • {escape(change.in_words())}")
    if step.fingerprint:
        console.print(f"  fingerprint {step.fingerprint}", style="dim")
    for part, value in step.key.items():
        if value not in (None, {}, []):
            shown = value if part != "environment" else {k: v for k, v in value.items() if k != "packages"}
            console.print(f"  {part}: {escape(values.dumps(shown))}", style="dim")

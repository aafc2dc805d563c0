"""``mlsteps explain``: why each step of a run ran, or was reused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from mlsteps.cli.records import find_run, steps_called
from mlsteps.cli.tables import STATE_STYLES
from mlsteps.exceptions import MlstepsException
from mlsteps.records import StepRecord, read_steps
from mlsteps.reuse.decision import Cause, Decision
from mlsteps.reuse.store import ReuseStore
from mlsteps.run import values
from mlsteps.workspace import Workspace

if TYPE_CHECKING:
    from mlsteps.data.stores import Store


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
        state = (step.state, STATE_STYLES.get(step.state, ""))
        console.print(Text.assemble((step.name.strip(), "bold"), "  ", state, "  ", _reason(step)))
        if step_name is not None:
            _tell_everything(console, store, step)


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


def _tell_everything(console: Console, store: Store, step: StepRecord) -> None:
    decision = _decision(step)
    if decision is not None and decision.origin:
        console.print(Text(f"  {_origin(decision, decision.origin)}"))
    for change in decision.changes if decision is not None else ():
        console.print(Text(f"  • {change.in_words()}"))
    if step.fingerprint:
        console.print(f"  fingerprint {step.fingerprint}", style="dim")
    for part, value in _key(store, step).items():
        if value not in (None, {}, []):
            console.print(Text(f"  {part}: {values.dumps(value)}", "dim"))


def _origin(decision: Decision, origin: Mapping[str, Any]) -> str:
    what = "reused from" if decision.action == "reuse" else "compared with"
    if decision.cause is Cause.WAITED_TOO_LONG:
        what = "waited for"
    made = f", made {origin['created']}" if origin.get("created") else ""
    return f"{what} {origin.get('task_id')} of run {origin.get('run_id')}, DAG {origin.get('dag_id')}{made}"


def _key(store: Store, step: StepRecord) -> Mapping[str, Any]:
    """What its fingerprint was made of; for a reused step the result that it was given says it."""
    if step.key or not step.fingerprint:
        return step.key
    entry = ReuseStore(store).read(step.fingerprint).entry
    return entry.key if entry is not None else {}

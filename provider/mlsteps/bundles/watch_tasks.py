"""Tasks of the DAG that looks at data for a schedule."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from mlsteps.records.watches import Changes, note_seen
from mlsteps.workspace import Workspace

if TYPE_CHECKING:
    from airflow.sdk import Context


class ChangedFiles(BaseOperator):
    """Says which runs the changes are for that its own run is about.

    :param schedule: Id of the schedule.
    :param parameter: The parameter that a run gets a changed file by; None is one run for all of them.
    :param datastore: That they lie on.
    """

    def __init__(self, *, schedule: str, parameter: str | None, datastore: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.schedule = schedule
        self.parameter = parameter
        self.datastore = datastore

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Arguments of the operator that starts a run, for each."""
        changed: dict[tuple[str, str], None] = {}
        for _, changes in told_changes(context):
            changed.update(dict.fromkeys(changes.changed.items()))
        for path, _ in changed:
            self.log.info("Changed: %s/%s", self.datastore, path)
        if not changed:
            self.log.info("No change was told: this DAG was started by hand, or for another reason.")
            return []
        if self.parameter is None:
            told = "\n".join(f"{path} {state}" for path, state in sorted(changed))
            return [self._run(told, f"{len(changed)}_files", {})]
        return [
            self._run(
                f"{path}\n{state}",
                path.rpartition("/")[2],
                {self.parameter: f"{self.datastore}/{path}"},
            )
            for path, state in changed
        ]

    def _run(self, told: str, label: str, conf: dict[str, Any]) -> dict[str, Any]:
        digest = hashlib.sha256(f"{self.schedule}\n{told}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
        readable = re.sub(r"[^A-Za-z0-9_.-]+", "_", label)[:80]
        return {"trigger_run_id": f"changed__{readable}__{digest}", "conf": conf}


class NoteSeen(BaseOperator):
    """Notes the changes that its run is about as seen to, so that they are not told again.

    :param locator: Of the workspace.
    """

    def __init__(self, *, locator: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.locator = locator

    def execute(self, context: Context) -> None:
        """Write it down."""
        of_watch: dict[str, list[Changes]] = {}
        for watch, changes in told_changes(context):
            of_watch.setdefault(watch, []).append(changes)
        store = Workspace.from_locator(self.locator).record_store()
        for watch, those in of_watch.items():
            note_seen(store, watch, those)


def told_changes(context: Context) -> Iterator[tuple[str, Changes]]:
    """The changes that a run was started by, in the order in which they were told, with the watch's id."""
    told: Any = context.get("triggering_asset_events") or {}
    for events in told.values():
        for event in events:
            payload = (event.extra or {}).get("payload")
            if isinstance(payload, dict) and {"watch", "changed"} <= set(payload):
                yield payload["watch"], Changes(payload["changed"], tuple(payload.get("gone", ())))

"""Reuse: what an earlier result leaves for this run, and how a new one is recorded for later runs."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from mlsteps.data import PortDataReference
from mlsteps.data.content import marks_at
from mlsteps.records import StepRecord
from mlsteps.records.step import REUSED
from mlsteps.reuse.decision import Decision
from mlsteps.reuse.entry import EntryOutput, Origin, ReuseEntry
from mlsteps.reuse.history import History
from mlsteps.reuse.listings import Listings
from mlsteps.reuse.store import ReuseStore
from mlsteps.run.journal import utc_now
from mlsteps.run.protocol import EventKind
from mlsteps.steps.keys import PACKAGES, KeyMaker, changes_between

if TYPE_CHECKING:
    from mlsteps.compute import JobOutcome
    from mlsteps.data.stores import Store
    from mlsteps.steps.base import PipelineStep
    from mlsteps.steps.keys import KeyedStep
    from mlsteps.workspace import Workspace


def references_of(entry: ReuseEntry, workspace: str) -> dict[str, PortDataReference]:
    """The outputs of an earlier result, by port name, for steps of a workspace.

    :param workspace: Its locator here, which need not be the one the result was made with.
    """
    return {
        name: replace(PortDataReference.deserialize(output.reference), workspace=workspace)
        for name, output in entry.outputs.items()
    }


def reused_record(
    record: StepRecord, decision: Decision, entry: ReuseEntry, outputs: Mapping[str, Any]
) -> StepRecord:
    """The record of a step that did not run, with what the earlier run left: metrics, files and the like.

    :param record: Who and when; the rest of it is still empty.
    :param outputs: By port name, as :func:`recorded_outputs` gives them.
    """
    now = utc_now()
    return record.with_(
        state=REUSED,
        reason=decision.in_words(),
        started=record.started or now,
        ended=now,
        seconds=record.seconds or 0.0,
        key={},
        fingerprint=entry.fingerprint,
        decision=decision.to_plain(),
        reused_from=asdict(entry.origin),
        outputs=outputs,
        metrics=entry.metrics,
        metric_events=tuple(entry.metric_events),
        parent_metric_events=tuple(entry.parent_metric_events),
        tags=entry.tags,
        parent_tags=entry.parent_tags,
        properties=entry.properties,
        files=tuple(entry.files),
        models=tuple(entry.models),
    )


def recorded_outputs(
    step: PipelineStep, references: Mapping[str, PortDataReference], workspace: Workspace
) -> dict[str, Any]:
    """A step's outputs for its record: the references, where they lie, and their names in the pipeline.

    :param workspace: Theirs. A reference by itself would open it anew, which may be a look-up each time.
    """
    outputs: dict[str, Any] = {}
    for port in step.output_ports:
        reference = references[port.name]
        url = workspace.open_store(reference.datastore_name).url(reference.path_on_datastore)
        outputs[port.name] = {**reference.serialize(), "url": url}
        named = getattr(port.data, "pipeline_output_name", None)
        if named:
            outputs[port.name]["pipeline_output_name"] = named
    return outputs


def why_not_kept(keyed: KeyedStep, outcome: JobOutcome) -> str | None:
    """Why the result of a script that succeeded may not stand for later runs; None if it may.

    :raises MlstepsException: an input can no longer be read.
    """
    if EventKind.CANCEL in [event.get("event") for event in outcome.events]:
        return "the script canceled a run, which has to happen again next time"
    now = KeyMaker().key_of(keyed.resolved, keyed.snapshot)
    if now.key != keyed.key:
        changes = changes_between(
            keyed.key, now.key, lambda digest: now.listing(digest) or keyed.listing(digest)
        )
        return f"while the step ran, {'; '.join(change.in_words() for change in changes[:3])}"
    return None


def keep_result(
    workspace: Workspace, keyed: KeyedStep, record: StepRecord, outcome: JobOutcome, *, instead: bool
) -> bool:
    """Record a result, so that later runs need not make it again; whether it was recorded.

    :param record: The step's, with metrics and outputs.
    :param instead: Write over an earlier result of the same key.
    :raises MlstepsException: the store failed. The step itself has succeeded all the same.
    """
    store = workspace.record_store()
    _keep_listings(store, keyed)
    entry = ReuseEntry(
        fingerprint=keyed.key.fingerprint,
        key=keyed.key.to_plain(),
        outputs={
            name: EntryOutput(
                _portable(reference),
                outcome.manifests[name],
                marks_at(workspace.open_store(reference["datastore"]), reference["path"]),
                keyed.resolved.step.outputs_lie_among_others,
            )
            for name, reference in record.outputs.items()
        },
        origin=Origin(
            dag_id=record.dag_id,
            run_id=record.run_id,
            task_id=record.task_id,
            map_index=record.map_index,
            try_number=record.try_number,
            step_run_id=record.step_run_id,
            name=record.name,
            folder=record.try_folder,
            host=socket.gethostname(),
            user=_user(),
        ),
        created=utc_now(),
        seconds=sum(record.phases.values()),
        metrics=record.metrics,
        metric_events=record.metric_events,
        parent_metric_events=record.parent_metric_events,
        tags=record.tags,
        parent_tags=record.parent_tags,
        properties=record.properties,
        files=record.files,
        models=record.models,
    )
    kept = ReuseStore(store).record(entry, replace=instead)
    History(store).remember(record.dag_id, record.task_id, entry.fingerprint)
    return kept


def _keep_listings(store: Store, keyed: KeyedStep) -> None:
    listings, code = Listings(store), keyed.snapshot
    listings.keep(code.digest, code.number_of_files, lambda: keyed.listing(code.digest) or {})
    packages = keyed.key.environment.get(PACKAGES)
    if isinstance(packages, str):
        listings.keep(packages, len(keyed.packages), lambda: keyed.packages)
    for content in keyed.contents.values():
        listings.keep(content.digest, content.number_of_files, content.files)


def _portable(reference: Mapping[str, Any]) -> dict[str, Any]:
    """A reference without what is only for people, and true on this machine alone."""
    return {name: value for name, value in reference.items() if name not in ("url", "pipeline_output_name")}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user id need not have a name
        return ""

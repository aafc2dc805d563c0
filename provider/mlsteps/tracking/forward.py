"""Forwarding: what is recorded here goes to MLflow as well, and no step fails or waits long because of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.records.step import read_tries
from mlsteps.tracking.batches import Batch, batch_of
from mlsteps.tracking.links import is_linked, keep_link, link_of
from mlsteps.tracking.sending import send
from mlsteps.tracking.server import MlflowServer, NotSent, server_of
from mlsteps.tracking.unsent import Unsent, noted, taken

if TYPE_CHECKING:
    from mlsteps.data.stores import Store
    from mlsteps.records import ModelRecord, StepRecord
    from mlsteps.workspace import Workspace


def forward_step(workspace: Workspace, record: StepRecord, log: Any) -> None:
    """Forward a try that has just ended, whatever became of it. Never fails.

    :param record: As it was written.
    :param log: Hears of what is not sent.
    """
    with _in_words(log, f"step {record.name!r}"):
        server = server_of(workspace)
        if server is not None:
            store = workspace.record_store()
            folders = [*_killed_before(store, record), record.try_folder]
            _send_all(noted(store, record.step_run_id, folders), server, log)
            link = link_of(store, record.try_folder, server)
            if link is not None:
                log.info(
                    "In MLflow: %s/#/experiments/%s/runs/%s",
                    server.uri,
                    link["experiment_id"],
                    link["run_id"],
                )


def forward_reused(workspace: Workspace, records: Sequence[StepRecord], log: Any) -> None:
    """The same for steps of one run that were reused before they started."""
    with _in_words(log, "the steps that are reused"):
        server = server_of(workspace)
        if server is not None and records:
            folders = [record.try_folder for record in records]
            _send_all(noted(workspace.record_store(), records[0].step_run_id, folders), server, log)


def forward_model(workspace: Workspace, model: ModelRecord, log: Any) -> None:
    """The same for a model that no run has registered."""
    with _in_words(log, f"model {model.id!r}"):
        server = server_of(workspace)
        if server is not None:
            _send_all(noted(workspace.record_store(), f"model-{model.id}", model=model.id), server, log)


def forward_labels(workspace: Workspace, model: str, log: Any) -> None:
    """The same for tags and description of any model, by its id."""
    with _in_words(log, f"the labels of model {model!r}"):
        server = server_of(workspace)
        if server is not None:
            _send_all(noted(workspace.record_store(), f"labels-{model}", labels=model), server, log)


@contextmanager
def _in_words(log: Any, what: str) -> Iterator[None]:
    try:
        yield
    except NotSent as error:
        log.warning(
            "MLflow did not get %s: %s The workspace's records have it, and the next step of the workspace "
            "that reaches MLflow sends it, too.",
            what,
            _sentence(error),
        )
    except Exception as error:  # whatever it is: the work is done, and recorded in the workspace
        log.warning("MLflow did not get %s: %s", what, _sentence(error))


def _sentence(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return f"{text}." if text[-1:].isalnum() else text


def _killed_before(store: Store, record: StepRecord) -> list[str]:
    """The folders of earlier tries that nobody has forwarded."""
    if record.try_number <= 1:
        return []
    earlier = [one for one in read_tries(store, record.folder) if 0 < one.try_number < record.try_number]
    return [one.try_folder for one in reversed(earlier) if not is_linked(store, one.try_folder)]


def _send_all(note: Unsent, server: MlflowServer, log: Any) -> None:
    """Send what a note names, and if that goes well what others could not send."""
    _send([note], server)
    others = list(taken(note.store))
    if others:
        try:
            _send(others, server)
        except NotSent as error:
            log.warning("MLflow did not get what it had missed before: %s", error)


def _send(notes: Sequence[Unsent], server: MlflowServer) -> None:
    """Send what notes name.

    :raises NotSent: something was not; its notes say so.
    """
    left, batches = list(notes), dict[str, Batch]()
    try:
        server.check()
        with tempfile.TemporaryDirectory(prefix="mlsteps-mlflow-") as name:
            for number, note in enumerate(notes):
                batch = batch_of(note, server, Path(name) / str(number))
                if batch is None:
                    left.remove(note)
                    note.done()
                else:
                    batches[note.place] = batch
            problems = _sent(batches, server, Path(name))
        for note in [note for note in left if problems.get(note.place, "") is None]:
            left.remove(note)
            note.done()
    finally:  # also when this process is being stopped
        for note in left:
            note.failed()
            if note.place in batches:
                batches[note.place].give_up()
    if left:
        raise NotSent("; ".join(filter(None, problems.values())) or "it gave no answer")


def _sent(batches: Mapping[str, Batch], server: MlflowServer, folder: Path) -> dict[str, str | None]:
    """By the place of each note that was tried, why it was not sent, or None."""

    def heard(answer: Mapping[str, Any]) -> None:
        batch = batches.get(str(answer.get("batch")))
        if batch is not None and "experiment" in answer:
            place = batch.places.get(answer.get("step", ""))
            if place is not None:
                run = answer.get("run") or answer["pipeline"]
                keep_link(batch.note.store, place, server, run, answer["experiment"])

    return send(server, [batch.plain for batch in batches.values()], folder, heard) if batches else {}

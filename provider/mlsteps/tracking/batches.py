"""Batches: what a note names, read from the records and made ready for the program."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.records import ModelRecord, StepRecord, read_model, read_run
from mlsteps.records.step import FAILED, REUSED, RUNNING, read_try
from mlsteps.tracking.files import LaidOut, lay_out
from mlsteps.tracking.links import give_up_pipeline, known_pipeline, link_of
from mlsteps.tracking.mapping import (
    MODELS_EXPERIMENT,
    deleted_model,
    model_of,
    pipeline_of,
    registration_of,
    step_of,
)
from mlsteps.tracking.names import key_of, text_of

if TYPE_CHECKING:
    from mlsteps.data.stores import Store
    from mlsteps.tracking.server import MlflowServer
    from mlsteps.tracking.unsent import Unsent


@dataclass(frozen=True)
class Batch:
    """What is sent for one note.

    :param plain: For the program, as JSON.
    :param places: The folders of our records, by the keys that the program answers with; the run's by "".
    """

    note: Unsent
    plain: Mapping[str, Any]
    places: Mapping[str, str] = field(default_factory=dict)

    def give_up(self) -> None:
        """It was not sent: nobody shall wait for the run of the pipeline that it would have made."""
        if "" in self.places and not self.plain["pipeline"]["known"]:
            give_up_pipeline(self.note.store, self.places[""])


def batch_of(note: Unsent, server: MlflowServer, folder: Path) -> Batch | None:
    """What a note names; None if nothing of it is there any more.

    :param folder: Where files are laid out; not there yet.
    """
    until = time.monotonic() + server.seconds / 2
    if note.model:
        return _of_model(note, server, folder, until)
    if note.labels:
        return _of_labels(note)
    records = [record for one in note.folders if (record := read_try(note.store, one)) is not None]
    run = read_run(note.store, records[0].dag_id, records[0].run_id) if records else None
    if run is None:
        return None
    pipeline = {**pipeline_of(run), "known": known_pipeline(note.store, run.folder, server)}
    steps = [
        _step(note.store, _settled(record), server, folder / str(number), until)
        for number, record in enumerate(records)
    ]
    return Batch(
        note,
        {"id": note.place, "pipeline": pipeline, "steps": steps},
        {"": run.folder, **{record.step_run_id: record.try_folder for record in records}},
    )


def _settled(record: StepRecord) -> StepRecord:
    """A try that is over and never said so."""
    if record.state != RUNNING:
        return record
    return record.with_(state=FAILED, error="It was killed.", ended=record.started)


def _step(
    store: Store, record: StepRecord, server: MlflowServer, folder: Path, until: float
) -> dict[str, Any]:
    if record.state == REUSED:
        original = link_of(store, record.kept_folder, server)
        return _with_files(step_of(record, original=original), LaidOut(folder))
    kept = f"{record.try_folder}/files"
    there = lay_out(store, kept, folder, server.most_bytes, until) if record.files else LaidOut(folder)
    models = [
        model_of(model, *_place(store, model, model.path[len(kept) + 1 :], there))
        for model in (_model(store, id) for id in record.models)
        if model is not None
    ]
    return _with_files(step_of(record, models), there)


def _of_model(note: Unsent, server: MlflowServer, folder: Path, until: float) -> Batch | None:
    store, model = note.store, _model(note.store, note.model)
    if model is None:
        return None
    name = model.path.rpartition("/")[2]
    there = lay_out(store, model.path, folder, server.most_bytes, until, below=name)
    step = registration_of(model, model_of(model, *_place(store, model, name, there)))
    pipeline = {"experiment": MODELS_EXPERIMENT}
    return Batch(note, {"id": note.place, "pipeline": pipeline, "steps": [_with_files(step, there)]})


def _of_labels(note: Unsent) -> Batch:
    store, model = note.store, _model(note.store, note.labels)
    if model is None:
        labels: dict[str, Any] = deleted_model(note.labels)
    else:
        labels = model_of(model, None, store.url(model.path))
    return Batch(note, {"id": note.place, "labels": labels})


def _model(store: Store, id: str) -> ModelRecord | None:
    name, _, version = id.rpartition(":")
    return read_model(store, name, int(version))


def _place(store: Store, model: ModelRecord, path: str, there: LaidOut) -> tuple[str | None, str]:
    return (path if there.has(path) else None), store.url(model.path)


def _with_files(step: dict[str, Any], there: LaidOut) -> dict[str, Any]:
    for name, text in step.pop("texts").items():
        file = there.folder / name
        if not file.exists():  # a script may have a file of that name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
    left = {key_of(f"mlsteps.file.{name}"): text_of(url) for name, url in there.left.items()}
    any_there = there.folder.is_dir()
    return {
        **step,
        "tags": {**step["tags"], **left},
        "files": str(there.folder) if any_there else None,
    }

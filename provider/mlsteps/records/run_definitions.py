"""The definition of the pipeline that a run was submitted with, kept in the run's folder."""

from __future__ import annotations

from mlsteps.records.layout import run_folder
from mlsteps.records.store import RecordStore, dump_json, load_json

VERSION = 1


def keep_run_definition(
    store: RecordStore, dag_id: str, run_id: str, definition: str | None, refused: str | None
) -> None:
    """Keep a definition, or why there is none.

    :param definition: As text.
    :param refused: What was wrong with the pipeline.
    """
    data = dump_json({"version": VERSION, "definition": definition, "refused": refused})
    store.write(f"{run_folder(dag_id, run_id)}/pipeline.json", data)


def read_run_definition(store: RecordStore, dag_id: str, run_id: str) -> tuple[str | None, str | None] | None:
    """The definition and why there is none; None where nothing was kept."""
    found = load_json(store, f"{run_folder(dag_id, run_id)}/pipeline.json", VERSION)
    return None if found is None else (found["definition"], found["refused"])

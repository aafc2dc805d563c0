"""Thing: whatever clearing up can delete, by kind and name; and what an output's folder is called."""

from __future__ import annotations

import re
from typing import NamedTuple

RUNS = "runs"
OUTPUTS = "outputs"
SNAPSHOTS = "snapshots"
ENTRIES = "entries"
LISTINGS = "listings"
CLAIMS = "claims"
KINDS = (RUNS, OUTPUTS, SNAPSHOTS, ENTRIES, LISTINGS, CLAIMS)

# The folders of a datastore below which each try of a step has one of its own.
OUTPUT_ROOTS = ("azureml", "dataset")

_LONGEST_ID = 200
# A DAG's name and a run's, if they are no longer, both stand in the id.
_SURELY_WHOLE = 80
_ALTERED_ID = re.compile(r"([A-Za-z0-9._=-]+)~[0-9a-f]{12}")
_LETTER = re.compile(r"[A-Za-z]")


class Thing(NamedTuple):
    """A node of the web of who refers to whom.

    :param name: Of a run its folder on the record store; of outputs the step run id that they lie below; of
        snapshots, entries and listings the digits that name their files.
    """

    kind: str
    name: str


def looks_like_step_run_id(name: str) -> bool:
    """Whether a folder's name is one that ``layout.step_run_id`` makes: ``dag.run.task.try``.

    A folder that somebody named ``sales.2024.01.15`` is none: what has no letter is no task.
    """
    altered = _ALTERED_ID.fullmatch(name)
    if altered and len(name) >= _LONGEST_ID:  # cut off
        return True
    parts = (altered.group(1) if altered else name).split(".")
    if len(parts) < 4 or not parts[-1].isdecimal():
        return False
    return all(_LETTER.search(part) for part in (parts[0], ".".join(parts[2:-1])))


def may_have_made(run_folder: str, step_run_id: str) -> bool:
    """Whether outputs could be of a run of which only the folder is known. Rather yes than no."""
    dag, run = (part.partition("~")[0] for part in run_folder.split("/")[-2:])
    known = re.escape(dag)
    if len(dag) < _SURELY_WHOLE:
        # What stood around the dot between the two may have been altered.
        known += r"[.-]+" + re.escape(run[:_SURELY_WHOLE])
    return re.match(known, step_run_id) is not None

"""Contents: the DAGs that a registry stands for."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from mlsteps.bundles.manifest import Entry, Manifest
from mlsteps.bundles.schedule_plan import plans, with_dag_ids
from mlsteps.publishing.dag_ids import dag_id_of
from mlsteps.records.pipeline_endpoints import ENDPOINTS
from mlsteps.records.published_pipelines import (
    ACTIVE,
    PIPELINES,
    PublishedRecord,
    published_of,
    said_status,
)
from mlsteps.records.schedules import SCHEDULES
from mlsteps.records.states import States, T
from mlsteps.records.store import RecordFormatError
from mlsteps.records.versions import numbers_of
from mlsteps.runs.dag_ids import ENDPOINT, PUBLISHED

_log = logging.getLogger(__name__)

ReadFile = Callable[[str], bytes]
Publication = tuple[PublishedRecord, bool]  # and whether it may be run

FOLDERS = (PIPELINES, ENDPOINTS.root, SCHEDULES.root)
"""Where the registry is, on the workspace's store."""


def registry_token(paths: Iterable[str]) -> str:
    """What changes when anything in the registry does: its files are never replaced."""
    return hashlib.sha256(json.dumps(sorted(paths)).encode()).hexdigest()


def manifest_of(paths: Iterable[str], read: ReadFile) -> Manifest:
    """The manifest of a registry.

    :param paths: All of its files.
    :param read: Reads one.
    """
    files = _by_folder(paths)
    publications = _publications(files, read)
    entries: dict[str, Entry] = {}
    for record, active in sorted(publications.values(), key=lambda one: (one[0].created, one[0].id)):
        entry = _entry(dag_id_of(PUBLISHED, record.name), record, active)
        known = entries.get(entry.dag_id)
        if known is None or active or not known.active:
            entries[entry.dag_id] = entry  # the newest active one; else the newest
    endpoints = _newest_states(ENDPOINTS, files, read)
    of_endpoints: dict[str, Publication] = {}
    for endpoint in endpoints:
        found = publications.get(endpoint.versions.get(endpoint.default_version, ""))
        if found is None:
            continue
        record, active = found[0], found[1] and endpoint.status == ACTIVE
        of_endpoints[endpoint.id] = record, active
        if not endpoint.archived:
            entry = _entry(dag_id_of(ENDPOINT, endpoint.name), record, active)
            entries[entry.dag_id] = replace(
                entry,
                name=endpoint.name,
                description=endpoint.description or entry.description,
                version=endpoint.default_version,
            )
    for schedule, dag_id in with_dag_ids(_newest_states(SCHEDULES, files, read)):
        if schedule.pipeline_endpoint_id is not None:
            found = of_endpoints.get(schedule.pipeline_endpoint_id)
        else:
            found = publications.get(schedule.pipeline_id or "")
        if found is None:
            _log.warning("Left out of the DAG bundle: schedule %r, whose pipeline is gone", schedule.name)
            continue
        record, active = found
        entry = replace(
            _entry(dag_id, record, active and schedule.active),
            name=schedule.name,
            description=schedule.description or record.description,
        )
        for id, plan in plans(schedule, dag_id):
            entries[id] = replace(entry, dag_id=id, schedule=plan)
    return Manifest(tuple(entries[dag_id] for dag_id in sorted(entries)))


def _publications(files: Mapping[str, list[str]], read: ReadFile) -> dict[str, Publication]:
    found = {}
    for folder, names in files.items():
        if folder.startswith(f"{PIPELINES}/") and "published.json" in names:
            path = f"{folder}/published.json"
            said = _newest(f"{folder}/status", files.get(f"{folder}/status", []))
            with _others_go_on():
                record = published_of(read(path), path)
                found[record.id] = record, said is None or said_status(read(said), said) == ACTIVE
    return found


def _newest_states(states: States[T], files: Mapping[str, list[str]], read: ReadFile) -> Iterator[T]:
    for folder, names in files.items():
        path = _newest(folder, names) if folder.startswith(f"{states.root}/") else None
        if path is not None:
            with _others_go_on():
                yield states.of(read(path), path)


@contextmanager
def _others_go_on() -> Iterator[None]:
    """One file that cannot be read must not keep all other DAGs as they were."""
    try:
        yield
    except (RecordFormatError, FileNotFoundError) as error:
        _log.warning("Left out of the DAG bundle: %s", error)


def _entry(dag_id: str, record: PublishedRecord, active: bool) -> Entry:
    return Entry(
        dag_id,
        record.name,
        record.id,
        record.definition,
        record.description,
        record.pipeline_version,
        record.created,
        active,
        go_on=record.continue_on_step_failure,
    )


def _by_folder(paths: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        found.setdefault(folder, []).append(name)
    return found


def _newest(folder: str, names: Iterable[str]) -> str | None:
    numbers = numbers_of(names)
    return f"{folder}/{numbers[-1]}.json" if numbers else None

"""Manifest: which publication each DAG of the bundle is. Equal registries have equal versions."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

from mlsteps.exceptions import UserErrorException
from mlsteps.launcher import strict_json
from mlsteps.launcher.strict_json import Fields
from mlsteps.publishing.dag_ids import ENDPOINT, PUBLISHED, dag_id_of
from mlsteps.records.pipeline_endpoints import ENDPOINTS, endpoint_of
from mlsteps.records.published_pipelines import (
    ACTIVE,
    PIPELINES,
    PublishedRecord,
    published_of,
    said_status,
)
from mlsteps.records.store import RecordFormatError

_log = logging.getLogger(__name__)

FORMAT_VERSION = 1
_KIND = "dag-bundle-version"
_DOCUMENT = "published-dag"

ReadFile = Callable[[str], bytes]


@dataclass(frozen=True)
class Entry:
    """One DAG.

    :param name: Of the pipeline or endpoint, for people.
    :param publication: The id of the published pipeline.
    :param definition: Digest of its definition.
    :param version: What its publisher calls it; of an endpoint, its default version.
    :param published: When, UTC.
    :param active: Whether it may be run.
    """

    dag_id: str
    name: str
    publication: str
    definition: str
    description: str | None
    version: str | None
    published: str
    active: bool

    @property
    def definition_path(self) -> str:
        """Where its definition lies on the store."""
        return f"{PIPELINES}/{self.publication}/definition.json"

    @staticmethod
    def read(fields: Fields) -> Entry:
        """The entry that was written with :func:`dataclasses.asdict`."""
        entry = Entry(
            fields.text("dag_id"),
            fields.text("name"),
            fields.text("publication"),
            fields.text("definition"),
            fields.optional_text("description"),
            fields.optional_text("version"),
            fields.text("published"),
            fields.flag("active"),
        )
        fields.finish()
        return entry


@dataclass(frozen=True)
class Manifest:
    """All DAGs, sorted by id."""

    entries: tuple[Entry, ...]

    @property
    def text(self) -> str:
        """As JSON."""
        return strict_json.render(_KIND, FORMAT_VERSION, {"dags": [asdict(entry) for entry in self.entries]})

    @property
    def version(self) -> str:
        """What the bundle's version is called."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:40]

    @staticmethod
    def parse(text: str | bytes) -> Manifest:
        """The manifest that was written.

        :raises UserErrorException: it is none.
        """
        fields = strict_json.parse(text, _KIND, FORMAT_VERSION)
        manifest = Manifest(tuple(Entry.read(entry) for entry in fields.objects("dags")))
        fields.finish()
        return manifest


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
    for folder, names in files.items():
        if not folder.startswith(f"{ENDPOINTS}/"):
            continue
        path, endpoint = _newest(folder, names), None
        with _others_go_on():
            endpoint = endpoint_of(read(path), path) if path else None
        if endpoint is None or endpoint.archived:
            continue
        found = publications.get(endpoint.versions.get(endpoint.default_version, ""))
        if found is not None:
            record, active = found
            entry = _entry(dag_id_of(ENDPOINT, endpoint.name), record, active and endpoint.status == ACTIVE)
            entries[entry.dag_id] = replace(
                entry,
                name=endpoint.name,
                description=endpoint.description or entry.description,
                version=endpoint.default_version,
            )
    return Manifest(tuple(entries[dag_id] for dag_id in sorted(entries)))


def _publications(files: Mapping[str, list[str]], read: ReadFile) -> dict[str, tuple[PublishedRecord, bool]]:
    found = {}
    for folder, names in files.items():
        if folder.startswith(f"{PIPELINES}/") and "published.json" in names:
            path = f"{folder}/published.json"
            said = _newest(f"{folder}/status", files.get(f"{folder}/status", []))
            with _others_go_on():
                record = published_of(read(path), path)
                found[record.id] = record, said is None or said_status(read(said), said) == ACTIVE
    return found


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
    )


def _by_folder(paths: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        found.setdefault(folder, []).append(name)
    return found


def _newest(folder: str, names: Iterable[str]) -> str | None:
    numbers = [int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdigit()]
    return f"{folder}/{max(numbers)}.json" if numbers else None


def read_document(text: str | bytes) -> tuple[Entry, str, str]:
    """What a DAG file of the bundle is made of: its entry, the workspace's locator and the definition's text.

    :raises UserErrorException: it is no such document, or the definition is not what was published.
    """
    fields = strict_json.parse(text, _DOCUMENT, FORMAT_VERSION)
    entry, locator = Entry.read(fields.nested("dag")), fields.text("workspace")
    definition = fields.text("definition")
    fields.finish()
    if hashlib.sha256(definition.encode()).hexdigest() != entry.definition:
        raise UserErrorException(
            f"{entry.definition_path} is missing or damaged: it is not what was published. Publish "
            f"{entry.name!r} again."
        )
    return entry, locator, definition


def document(entry: Entry, locator: str, definition: bytes) -> str:
    """The document of one DAG. Whether it is sound shows when it is read: then only that DAG is broken."""
    content = {
        "dag": asdict(entry),
        "workspace": locator,
        "definition": definition.decode("utf-8", errors="replace"),
    }
    return strict_json.render(_DOCUMENT, FORMAT_VERSION, content)

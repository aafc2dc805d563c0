"""Manifest: which publication each DAG of the bundle is. Equal registries have equal versions."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

from mlsteps.bundles.schedule_plan import SchedulePlan
from mlsteps.exceptions import UserErrorException
from mlsteps.launcher import strict_json
from mlsteps.launcher.strict_json import Fields
from mlsteps.records.published_pipelines import PIPELINES

FORMAT_VERSION = 1
_KIND = "dag-bundle-version"
_DOCUMENT = "published-dag"


@dataclass(frozen=True)
class Entry:
    """One DAG.

    :param name: Of the pipeline or endpoint, for people.
    :param publication: The id of the published pipeline.
    :param definition: Digest of its definition.
    :param version: What its publisher calls it; of an endpoint, its default version.
    :param published: When, UTC.
    :param active: Whether it may be run.
    :param schedule: Where it is the DAG of a schedule: when it runs, and with what.
    :param go_on: Whether steps go on that do not depend on one that failed; None is Airflow's rule.
    """

    dag_id: str
    name: str
    publication: str
    definition: str
    description: str | None
    version: str | None
    published: str
    active: bool
    schedule: SchedulePlan | None = None
    go_on: bool | None = None

    @property
    def definition_path(self) -> str:
        """Where its definition lies on the store."""
        return f"{PIPELINES}/{self.publication}/definition.json"

    @staticmethod
    def read(fields: Fields) -> Entry:
        """The entry that was written with :func:`dataclasses.asdict`."""
        plan = fields.optional_nested("schedule")
        entry = Entry(
            fields.text("dag_id"),
            fields.text("name"),
            fields.text("publication"),
            fields.text("definition"),
            fields.optional_text("description"),
            fields.optional_text("version"),
            fields.text("published"),
            fields.flag("active"),
            None if plan is None else SchedulePlan.read(plan),
            fields.optional_flag("go_on"),
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

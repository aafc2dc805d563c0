"""Decide: may an earlier result stand for a step? For a plan of the pipeline, and for the step itself."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from mlsteps.data import PortDataReference
from mlsteps.data.content import damage
from mlsteps.exceptions import MlstepsException
from mlsteps.records import read_model
from mlsteps.reuse.change import Change, distance
from mlsteps.reuse.compare import Listing
from mlsteps.reuse.decision import Decision
from mlsteps.reuse.entry import EntryOutput, ReuseEntry
from mlsteps.reuse.history import History
from mlsteps.reuse.key import Key
from mlsteps.reuse.listings import Listings
from mlsteps.reuse.store import ReuseStore
from mlsteps.steps.caches import digest_cache
from mlsteps.steps.keys import changes_between

if TYPE_CHECKING:
    from mlsteps.data.stores import Store
    from mlsteps.workspace import Workspace

_LOG = logging.getLogger(__name__)

# What an entry raises that is of the right form and was not written by us, or whose store does not answer.
_UNUSABLE = (AttributeError, KeyError, TypeError, ValueError, OSError, MlstepsException)


@dataclass(frozen=True)
class Verdict:
    """What was decided about a step.

    :param entry: The earlier result that stands for it; None if it runs.
    :param replaces: Whether the result it will make is to be recorded in place of an earlier one.
    """

    decision: Decision
    entry: ReuseEntry | None = None
    replaces: bool = False


@dataclass(frozen=True)
class Decider:
    """Decides about steps of one workspace.

    :param records: The store that its results are recorded on.
    """

    workspace: Workspace
    records: Store
    _read: dict[str, ReuseEntry | None] = field(default_factory=dict)

    def decide(
        self,
        key: Key,
        listing: Listing,
        dag_id: str,
        task_id: str,
        max_age: timedelta | None = None,
    ) -> Verdict:
        """Look for the result of this very key, and make sure that it still stands.

        :param listing: The files that a digest in the key stands for, for words.
        :param dag_id, task_id: Whose earlier results a changed key is compared with.
        """
        found = ReuseStore(self.records).read(key.fingerprint)
        if found.entry is None:
            if found.problem is not None:
                return Verdict(Decision.unreadable(found.problem), replaces=True)
            return Verdict(self._explained(key, listing, dag_id, task_id))
        try:
            return self._checked(found.entry, max_age)
        except _UNUSABLE as error:
            problem = f"The kept result of {key.fingerprint} is not usable: {type(error).__name__}: {error}"
            _LOG.warning("%s", problem)
            return Verdict(Decision.unreadable(problem), replaces=True)

    def _checked(self, entry: ReuseEntry, max_age: timedelta | None) -> Verdict:
        """Whether an earlier result may be handed on: young enough, and all that it made still stands."""
        origin = origin_of(entry)
        if max_age is not None:
            age = _age(entry.created)
            if age > max_age:
                return Verdict(Decision.expired(age, max_age, origin), replaces=True)
        for name, output in entry.outputs.items():
            PortDataReference.deserialize(output.reference)
            problem = self._lost(name, output, origin)
            if problem is not None:
                return Verdict(problem, replaces=True)
        for model in entry.models:
            name, _, version = model.rpartition(":")
            if read_model(self.records, name, int(version)) is None:
                return Verdict(Decision.outputs_missing(f"model {model}", [], origin), replaces=True)
        return Verdict(Decision.unchanged(origin), entry)

    def _lost(self, name: str, output: EntryOutput, origin: Any) -> Decision | None:
        """Why an output cannot be handed on, or None if it stands as recorded."""
        reference = output.reference
        try:
            store = self.workspace.open_store(reference["datastore"])
            cache = digest_cache(self.workspace)
            found = damage(output.manifest, store, reference["path"], cache, output.marks)
            if output.among_others:
                found = replace(found, added=())
        except (MlstepsException, OSError) as error:
            return Decision.unreadable(f"output {name!r} cannot be checked: {error}")
        if found.missing:
            return Decision.outputs_missing(
                name, [_place(store, reference, p) for p in found.missing], origin
            )
        if found:
            changed = [_place(store, reference, path) for path in (*found.altered, *found.added)]
            return Decision.outputs_altered(name, changed, origin)
        return None

    def _explained(self, key: Key, listing: Listing, dag_id: str, task_id: str) -> Decision:
        """What differs from the nearest of the step's earlier results."""
        nearest: tuple[int, tuple[Change, ...], ReuseEntry] | None = None
        kept = Listings(self.records)

        def known(digest: str) -> Mapping[str, str] | None:
            return listing(digest) or kept.read(digest)

        for fingerprint in History(self.records).recent(dag_id, task_id):
            entry = self._entry(fingerprint)
            if entry is None:
                continue
            try:
                changes = changes_between(Key.from_plain(entry.key), key, known)
            except MlstepsException:  # a key of another format tells nothing about this one
                continue
            if nearest is None or distance(changes) < nearest[0]:
                nearest = (distance(changes), changes, entry)
        if nearest is None:
            return Decision.first()
        return Decision.changed(nearest[1], origin_of(nearest[2]))

    def _entry(self, fingerprint: str) -> ReuseEntry | None:
        if fingerprint not in self._read:
            self._read[fingerprint] = ReuseStore(self.records).read(fingerprint).entry
        return self._read[fingerprint]


def origin_of(entry: ReuseEntry) -> dict[str, Any]:
    """Who made a result, and when, for records and words."""
    return {**asdict(entry.origin), "created": entry.created}


def _age(created: str) -> timedelta:
    # A clock that was set back makes results of the future; they are new.
    made = datetime.fromisoformat(created.replace("Z", "+00:00"))
    return max(datetime.now(timezone.utc) - made, timedelta(0))


def _place(store: Store, reference: Mapping[str, Any], path: str) -> str:
    return store.url(f"{reference['path']}/{path}".rstrip("/"))

"""Carry out: deletes what a plan says, in an order in which a kill does no harm at any moment."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

from mlsteps.cleaning.claims import dead_claims, remove_claim
from mlsteps.cleaning.entries import Entry, scan_entry
from mlsteps.cleaning.plan import Plan, Rules, make_plan
from mlsteps.cleaning.report import Amount, Report
from mlsteps.cleaning.runs import RUN_FILE, STEPS_FOLDER, Run, scan_run
from mlsteps.cleaning.scan import Scan, Tell, scan, scan_again
from mlsteps.cleaning.stores import Place, Stores
from mlsteps.cleaning.things import CLAIMS, ENTRIES, KINDS, LISTINGS, OUTPUTS, RUNS, SNAPSHOTS, Thing
from mlsteps.exceptions import MlstepsException


class CleaningError(MlstepsException):
    """The store failed before it was clear what can go."""


def clean(
    stores: Stores, rules: Rules, *, dry_run: bool = False, tell: Tell = lambda what, done, of: None
) -> Report:
    """Delete what nobody can reach.

    :param dry_run: Only find out what that is.
    :param tell: Told what is being done, how much of it is done, and how much there is of it.
    :raises CleaningError: the store failed while it was read; nothing has been deleted then.
    """
    work = _Work(stores, rules, tell)
    try:
        # In this order: by the time the records are read, what was listed is in one of them or is nobody's.
        listed = stores.listed()
        seen = scan(stores.records, tell)
        plan = make_plan(stores, listed, seen, rules)
        if dry_run:
            work.measure(plan)
        elif plan.doomed:
            plan = work.delete_entries(plan, listed, seen)
    except Exception as error:  # each kind of store has errors of its own
        raise CleaningError(f"Nothing was deleted: {type(error).__name__}: {error}") from error
    if not dry_run:
        work.delete_rest(plan, seen.runs)
        work.delete_claims()
    return Report(dry_run, work.amounts, plan.active, (*seen.problems, *work.problems))


class _Work:
    """Deletes and counts.

    :ivar amounts: What has been deleted, by kind.
    :ivar problems: What could not be deleted.
    """

    def __init__(self, stores: Stores, rules: Rules, tell: Tell) -> None:
        self._stores = stores
        self._records = stores.records
        self._rules = rules
        self._tell = tell
        self.amounts = dict.fromkeys(KINDS, Amount())
        self.problems: list[str] = []

    def measure(self, plan: Plan) -> None:
        """Count what would be deleted."""
        for number, (thing, places) in enumerate(plan.doomed.items()):
            self._tell("measuring", number, len(plan.doomed))
            for place in places:
                self.amounts[thing.kind] += _amount(thing, place)
        for amount in dead_claims(self._records).values():
            self.amounts[CLAIMS] += amount

    # Entries

    def delete_entries(self, plan: Plan, listed: Mapping[Thing, tuple[Place, ...]], seen: Scan) -> Plan:
        """Take the entries away, look who may have found one before, and put back what that is.

        :returns: What is still to go; no entry that stands refers to any of it.
        """
        doomed = [entry for entry in seen.entries if entry.thing in plan.doomed]
        taken: dict[Entry, bytes] = {}
        stay: set[Thing] = set()
        try:
            for number, entry in enumerate(doomed):
                self._tell("deleting results", number, len(doomed))
                if not self._take(entry, taken):
                    stay.add(entry.thing)
            again = scan_again(self._records, seen, self._tell)
            after = make_plan(self._stores, listed, again, self._rules, stay)
        except BaseException:
            self._put_back(taken)
            raise
        self._put_back({entry: data for entry, data in taken.items() if entry.thing not in after.doomed})
        for entry, data in taken.items():
            if entry.thing in after.doomed:
                self.amounts[ENTRIES] += Amount(1, 1, len(data))
        return plan.and_also(after)

    def _take(self, entry: Entry, taken: dict[Entry, bytes]) -> bool:
        """Delete an entry; whether it is gone."""
        try:
            now = scan_entry(self._records, entry.path)
            if now == entry:
                taken[entry] = self._records.read(entry.path)
                self._records.delete(entry.path)
            return now is None or now == entry  # else somebody has written another one
        except FileNotFoundError:
            return True
        except Exception as error:
            self._left(entry.path, error)
            return False

    def _put_back(self, taken: Mapping[Entry, bytes]) -> None:
        for entry, data in taken.items():
            with contextlib.suppress(Exception):  # it is only a result that is made again then
                self._records.create(entry.path, data)

    # Everything else

    def delete_rest(self, plan: Plan, runs: Iterable[Run]) -> None:
        """Delete what the entries referred to; runs last, because they tell whose the outputs are."""
        doomed = {thing: places for thing, places in plan.doomed.items() if thing.kind != ENTRIES}
        for kind in (SNAPSHOTS, LISTINGS):
            self._delete([thing for thing in doomed if thing.kind == kind], doomed)
        gone = [run for run in runs if run.thing in doomed]
        of_nobody = {thing for thing in doomed if thing.kind == OUTPUTS}
        for number, run in enumerate(gone):
            self._tell("deleting outputs", number, len(gone))
            made = [thing for thing in sorted(Thing(OUTPUTS, name) for name in run.made) if thing in doomed]
            if made and not self._unchanged(run):
                return
            self._delete(made, doomed)
            of_nobody.difference_update(made)
        self._delete(sorted(of_nobody), doomed)
        for number, run in enumerate(gone):
            self._tell("deleting runs", number, len(gone))
            if not self._unchanged(run):
                return
            self._delete([run.thing], doomed)

    def delete_claims(self) -> None:
        """Delete what dead holders of claims have left."""
        try:
            for fingerprint, amount in dead_claims(self._records).items():
                if remove_claim(self._records, fingerprint):
                    self.amounts[CLAIMS] += amount
        except Exception as error:
            self._left("Claims of processes that have ended", error)

    def _unchanged(self, run: Run) -> bool:
        """Whether nobody has begun a step of an old run again."""
        try:
            if scan_run(self._records, run.folder) == run:
                return True
            self.problems.append(
                f"{run.dag_id} / {run.run_id} is being run again: the rest is left for the next time."
            )
        except Exception as error:
            self._left(run.folder, error)
        return False

    def _delete(self, things: Iterable[Thing], doomed: Mapping[Thing, tuple[Place, ...]]) -> None:
        for thing in things:
            for place in doomed[thing]:
                try:
                    amount = _amount(thing, place)
                    if amount.number:
                        _delete(thing, place)
                    self.amounts[thing.kind] += amount
                except Exception as error:
                    self._left(place.store.url(place.path), error)

    def _left(self, what: str, error: Exception) -> None:
        self.problems.append(f"{what} cannot be deleted: {type(error).__name__}: {error}")


def _amount(thing: Thing, place: Place) -> Amount:
    """How much there is at a place; nothing if somebody else put a file where outputs would lie."""
    number = 1
    if thing.kind == OUTPUTS:
        if place.store.stat(place.path) is not None:
            return Amount()
        number = max(1, len(place.store.list_names(place.path)))
    sizes = [info.size for info in place.store.list(place.path)]
    return Amount(number, len(sizes), sum(sizes))


def _delete(thing: Thing, place: Place) -> None:
    if thing.kind == RUNS:
        # First what makes it a run, so that nobody sees half of one; last the steps, by which the next gc
        # finds what a kill has left.
        place.store.delete(f"{place.path}/{RUN_FILE}")
        for name in place.store.list_names(place.path):
            if name != STEPS_FOLDER:
                place.store.delete(f"{place.path}/{name}")
    place.store.delete(place.path)

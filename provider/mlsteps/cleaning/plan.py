"""Plan: what nobody can reach from what has to stay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlsteps.cleaning.runs import Run
from mlsteps.cleaning.scan import Scan
from mlsteps.cleaning.stores import Place, Stores
from mlsteps.cleaning.things import (
    ENTRIES,
    LISTINGS,
    OUTPUTS,
    SNAPSHOTS,
    Thing,
    looks_like_step_run_id,
    may_have_made,
)

# A run with steps to come is waited for that long; then nobody believes in them any more.
_STEPS_MAY_COME = timedelta(hours=24)


@dataclass(frozen=True)
class Rules:
    """What stays although nobody refers to it.

    :param older_than: Runs and results younger than this stay.
    :param keep_last: So many runs of each DAG stay, the newest.
    :param now: The time.
    """

    older_than: timedelta
    keep_last: int
    now: datetime

    def young(self, created: datetime | None) -> bool:
        """Whether something of that time stays for its age alone."""
        return created is not None and self.now - created < self.older_than

    def active(self, run: Run) -> bool:
        """Whether a run may be looking for results, or be about to."""
        steps_may_come = run.created is not None and self.now - run.created < _STEPS_MAY_COME
        return run.running or (run.unfinished and steps_may_come)


@dataclass(frozen=True)
class Plan:
    """What goes.

    :param doomed: By thing, where it lies.
    :param active: Runs because of which results stay that could be reused.
    """

    doomed: Mapping[Thing, tuple[Place, ...]]
    active: tuple[Run, ...]

    def and_also(self, other: Plan) -> Plan:
        """What goes by both of two plans, at each of which something else was seen."""
        doomed = {
            thing: tuple(place for place in places if place in other.doomed[thing])
            for thing, places in self.doomed.items()
            if thing in other.doomed
        }
        active = {run.folder: run for run in (*self.active, *other.active)}
        return Plan(doomed, tuple(active.values()))


def make_plan(
    stores: Stores,
    listed: Mapping[Thing, tuple[Place, ...]],
    scan: Scan,
    rules: Rules,
    stays: Iterable[Thing] = (),
) -> Plan:
    """What can go.

    :param listed: Outputs, snapshots and listings, as they were before the scan.
    :param stays: What has to stay for other reasons.
    """
    active = tuple(run for run in scan.runs if rules.active(run))
    things = {**listed}
    for found in scan.found:
        path = found.folder if isinstance(found, Run) else found.path
        things[found.thing] = (Place(stores.records, path, own=True),)
    roots = {
        *stays,
        *scan.registered,
        *_runs_that_stay(scan, rules, active),
        *_entries_that_stay(scan, rules),
    }
    if active or any(run.problem for run in scan.runs):
        roots |= {thing for thing in things if thing.kind in (SNAPSHOTS, LISTINGS)}
    if active:
        roots |= {thing for thing in things if thing.kind == ENTRIES} | _looked_for(scan, active)
    reached = _reachable(roots, {found.thing: found.refers_to for found in scan.found})
    places = _deletable_outputs(things, scan)
    doomed = {
        thing: places[thing] if thing.kind == OUTPUTS else where
        for thing, where in things.items()
        if thing not in reached and (thing.kind != OUTPUTS or places.get(thing))
    }
    return Plan(doomed, active)


def _runs_that_stay(scan: Scan, rules: Rules, active: tuple[Run, ...]) -> Iterator[Thing]:
    yield from (run.thing for run in active)
    of_dag = defaultdict[str, list[Run]](list)
    for run in scan.runs:
        if run.problem or rules.young(run.created):
            yield run.thing
        if run.created is not None:
            of_dag[run.dag_id].append(run)
    for runs in of_dag.values():
        newest = sorted(runs, key=lambda run: (run.created, run.folder), reverse=True)
        yield from (run.thing for run in newest[: rules.keep_last])


def _entries_that_stay(scan: Scan, rules: Rules) -> Iterator[Thing]:
    half_known = {run.thing for run in scan.runs if run.problem}
    for entry in scan.entries:
        # An unreadable run's record might name it.
        if entry.problem or rules.young(entry.created) or not half_known.isdisjoint(entry.refers_to):
            yield entry.thing


def _looked_for(scan: Scan, active: tuple[Run, ...]) -> set[Thing]:
    """Runs that have a result which a running step looks for.

    It may have found an entry that has been replaced since, or that another gc has just taken away.
    """
    wanted = frozenset[Thing]().union(*(run.computing for run in active))
    return {run.thing for run in scan.runs if not wanted.isdisjoint(run.refers_to)}


def _reachable(roots: set[Thing], web: Mapping[Thing, frozenset[Thing]]) -> set[Thing]:
    reached, waiting = set(roots), list(roots)
    while waiting:
        more = web.get(waiting.pop(), frozenset()) - reached
        reached |= more
        waiting += more
    return reached


def _deletable_outputs(
    things: Mapping[Thing, tuple[Place, ...]], scan: Scan
) -> dict[Thing, tuple[Place, ...]]:
    """Outputs that are known to be a run's own, and where they may be deleted.

    What is in no record is a run's if its name says so, and if it lies on the record store: on other
    datastores it may be another workspace's. A folder that a user named as a destination never is.
    """
    made = frozenset[str]().union(*(run.made for run in scan.runs))
    fixed = frozenset[str]().union(*(found.fixed for found in scan.found))
    half_known = [run.folder for run in scan.runs if run.problem]
    found = {}
    for thing, places in things.items():
        if thing.kind != OUTPUTS or thing.name in fixed:
            continue
        if any(may_have_made(folder, thing.name) for folder in half_known):
            continue
        if thing.name in made:
            found[thing] = places
        elif looks_like_step_run_id(thing.name) and not any(name in thing.name for name in made):
            found[thing] = tuple(place for place in places if place.own)
    return found

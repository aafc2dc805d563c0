"""Flight: one step's decision about reuse, and its claim to be the only one that computes a result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlsteps.exceptions import MlstepsException
from mlsteps.reuse.claim import Claim, Claims
from mlsteps.reuse.decision import Decision
from mlsteps.reuse.single_flight import Found, Mine, TimedOut, single_flight
from mlsteps.reuse.watch import Held
from mlsteps.steps.deciding import Decider, Verdict
from mlsteps.steps.ending import raise_if_canceled
from mlsteps.steps.reusing import keep_result, why_not_kept

if TYPE_CHECKING:
    from mlsteps.compute import JobOutcome
    from mlsteps.records import StepRecord
    from mlsteps.reuse.entry import ReuseEntry
    from mlsteps.reuse.snapshot import Snapshot
    from mlsteps.steps.attempt import Attempt
    from mlsteps.steps.keys import KeyedStep


class Flight:
    """Decides about one try of a step; while the step runs, others that need the same result wait for it.

    :ivar decision: Why it runs or not.
    :ivar entry: The earlier result that stands for it; None if it has to run.
    """

    decision: Decision
    entry: ReuseEntry | None = None

    def __init__(
        self,
        attempt: Attempt,
        keyed: KeyedStep,
        suspended: Mapping[str, Any] | None = None,
        claim: Claim | None = None,
    ) -> None:
        self._attempt = attempt
        self._keyed = keyed
        self._replaces = False
        self._waited_for: Held | None = None
        self._suspended = suspended
        self._claim = claim
        # One for both looks, before and after the claim: it remembers what it compared with.
        self._decider = Decider(attempt.workspace, attempt.records)

    @contextmanager
    def decided(self) -> Iterator[Flight]:
        """Decide; hold the claim while the block runs, unless an earlier result stands."""
        step, attempt = self._attempt.step, self._attempt
        if self._suspended is not None:
            self.decision = Decision.from_plain(self._suspended["decision"])
            self._replaces = bool(self._suspended["replaces"])
            yield self
        elif not step.allow_reuse:
            self.decision = Decision.not_allowed()
            yield self
        elif attempt.regenerate.forces(step.name, attempt.task_id):
            self._run(Decision.forced())
            yield self
        elif attempt.cleared:
            self._run(Decision.cleared())
            yield self
        else:
            with self._unless_known():
                yield self

    def suspend(self) -> dict[str, Any]:
        """End for now, while the job goes on; as plain JSON for the process that goes on with this."""
        return {
            "fingerprint": self._keyed.key.fingerprint,
            "decision": self.decision.to_plain(),
            "replaces": self._replaces,
            "try_number": self._attempt.try_number,
            "claim": self._claim.hand_on() if self._claim is not None else None,
        }

    def land(self, snapshot: Snapshot, record: StepRecord, outcome: JobOutcome) -> None:
        """Record the result for later runs. Whatever goes wrong here, the step itself has succeeded.

        :param snapshot: What really ran: the sources may have changed since the decision.
        """
        if not self._attempt.step.allow_reuse:
            return
        keyed = self._keyed
        if self._suspended and self._suspended["fingerprint"] != keyed.key.fingerprint:
            self._attempt.step.log.info(
                "The result is not kept for later runs: something that it depends on changed meanwhile."
            )
            return
        try:
            if snapshot.digest != keyed.key.code:
                key = replace(keyed.key, code=snapshot.digest)
                keyed = replace(keyed, key=key, snapshot=snapshot)
            problem = why_not_kept(keyed, outcome)
            if problem is None:
                keep_result(self._attempt.workspace, keyed, record, outcome, instead=self._replaces)
            else:
                self._attempt.step.log.info("The result is not kept for later runs: %s.", problem)
        except (MlstepsException, OSError) as error:
            self._attempt.step.log.warning("The result could not be kept for later runs: %s", error)

    def _run(self, decision: Decision) -> None:
        # The newest result counts, since somebody asked for it.
        self.decision, self._replaces = decision, True

    @contextmanager
    def _unless_known(self) -> Iterator[None]:
        attempt, key = self._attempt, self._keyed.key
        verdicts: list[Verdict] = []

        def look() -> ReuseEntry | None:
            verdict = self._verdict()
            verdicts.append(verdict)
            return verdict.entry

        with single_flight(
            Claims(attempt.records),
            key.fingerprint,
            self._holder(),
            look,
            timeout=attempt.step.reuse_timeout,
            waiting=self._waiting,
            cancelled=self._canceled,
        ) as turn:
            self._claim = turn.claim if isinstance(turn, Mine) else None
            last = verdicts[-1]
            self.decision, self.entry, self._replaces = last.decision, last.entry, last.replaces
            if isinstance(turn, Found) and self._waited_for is not None:
                self.decision = Decision.joined(last.decision.origin or {})
            elif isinstance(turn, TimedOut):
                self.decision = Decision.waited_too_long(dict(turn.holder))
            yield

    def _verdict(self) -> Verdict:
        attempt, keyed = self._attempt, self._keyed
        return self._decider.decide(
            keyed.key, keyed.listing, attempt.dag_id, attempt.task_id, attempt.step.reuse_max_age
        )

    def _holder(self) -> Mapping[str, Any]:
        attempt = self._attempt
        return {
            "dag_id": attempt.dag_id,
            "run_id": attempt.run_id,
            "task_id": attempt.task_id,
            "map_index": attempt.map_index,
            "try_number": attempt.try_number,
        }

    def _waiting(self, held: Held, seconds: float) -> None:
        first = self._waited_for is None or self._waited_for.id != held.id
        self._waited_for = held
        if first:
            self._attempt.step.log.info(
                "Run %s (%s / %s) is computing the same right now: waiting for its result.",
                held.holder.get("run_id"),
                held.holder.get("dag_id"),
                held.holder.get("task_id"),
            )

    def _canceled(self) -> bool:
        raise_if_canceled(self._attempt)
        return False

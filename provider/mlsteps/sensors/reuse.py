"""ReuseSensor: one task in front of a pipeline that skips every step whose result is known already."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import DownstreamTasksSkipped

from mlsteps.steps.form import add_regenerate_field

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlsteps.sensors.planned_run import PlannedRun


class ReuseSensor(BaseSensorOperator):
    """Plans the steps of its DAG, and reuses all that are unchanged in one task.

    :class:`~mlsteps.Pipeline` puts one before its first steps, with the task id ``reuse``. In other DAGs:

    >>> with DAG("train"):
    ...     reuse = ReuseSensor(task_id="reuse")
    ...     reuse >> prepare >> train

    It walks the DAG in its order, and looks up the result of each step whose inputs are known. Steps that
    have one get its outputs as their own XComs and are skipped at once. Any other step decides for itself
    when it starts: with an upstream step that ran again and made the same as before, it is skipped then.
    While another run is computing a result that is needed here, the sensor waits for that run.

    :param wait: Whether to wait for other runs; otherwise the step that needs the result does that.
    :param wait_timeout: How long at most, as a timedelta or in seconds; then the steps start. Default: a day.
        A run that dies is noticed and not waited for.
    :param poke_interval: Seconds between two looks while it waits.
    :param mode: ``reschedule`` (default) frees the worker while it waits, ``poke`` does not.

    Everything that Airflow's sensors take is taken too.
    """

    ui_color = "#cffafe"

    def __init__(
        self,
        *,
        wait: bool = True,
        wait_timeout: timedelta | float = timedelta(days=1),
        poke_interval: timedelta | float = 5,
        mode: str = "reschedule",
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, mode=mode, **kwargs)
        self.wait = wait
        self.wait_timeout = (
            wait_timeout if isinstance(wait_timeout, timedelta) else timedelta(seconds=wait_timeout)
        ).total_seconds()
        self._first_look: float | None = None
        self._planned: PlannedRun | None = None
        dag = self.get_dag()
        if dag is not None:
            add_regenerate_field(dag, ())

    def poke(self, context: Context) -> bool:
        """Plan; False while another run is computing a result that is needed here."""
        from mlsteps.sensors.planned_run import PlannedRun

        planned = PlannedRun.of(self, context)
        self._planned = planned
        waits_for = planned.computed_elsewhere() if self.wait else []
        if not waits_for:
            return True
        if self._waited(context) >= self.wait_timeout:
            self.log.warning("Not waiting any longer for %s.", ", ".join(waits_for))
            return True
        self.log.info("Waiting for %s.", ", ".join(waits_for))
        return False

    def execute(self, context: Context) -> None:
        """Wait for other runs, then skip what is reused.

        :raises DownstreamTasksSkipped: tells Airflow which steps that are.
        """
        super().execute(context)
        assert self._planned is not None
        self._planned.done_waiting()
        skipped: Sequence[str] = self._planned.carry_out()
        if skipped:
            raise DownstreamTasksSkipped(tasks=list(skipped))  # type: ignore[no-untyped-call]

    def _waited(self, context: Context) -> float:
        """Seconds since the first look, which an earlier process may have had."""
        from airflow.sdk import timezone

        if self.reschedule:
            first = context["ti"].get_first_reschedule_date(context)
            return (timezone.utcnow() - first).total_seconds() if first is not None else 0.0
        if self._first_look is None:
            self._first_look = time.monotonic()
        return time.monotonic() - self._first_look

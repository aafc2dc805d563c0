"""ReuseSensor: one task in front of others that skips those whose result is known already."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator

from mlsteps.compat import DownstreamTasksSkipped
from mlsteps.sensors.refusing import refused
from mlsteps.steps.base import names_of_steps
from mlsteps.steps.checks import as_age
from mlsteps.steps.form import add_form_fields, offer_regeneration
from mlsteps.steps.retrying import choose_policy, failing_at_once
from mlsteps.steps.which_workspace import declaring_folder, which_workspace

if TYPE_CHECKING:
    from airflow.sdk import DAG, Context

    from mlsteps.data import DataReference
    from mlsteps.sensors.fingerprint import FingerprintReader
    from mlsteps.sensors.planned_run import PlannedRun
    from mlsteps.workspace import Workspace


# A short wait is over soonest where it began. And Airflow (3.3) takes a sensor for dead that starts again
# while the process of its last look is still being cleared away, which takes up to five seconds.
_SECONDS_IN_PLACE = 30.0
_SECONDS_BETWEEN_LOOKS = 1.0

# Where neither the DAG nor its author says how often it is tried again.
_RETRIES, _RETRY_DELAY = 2, timedelta(seconds=10)


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

    **In front of other operators** it is told what their result depends on:

    >>> ReuseSensor(
    ...     task_id="reuse_etl",
    ...     guards=[extract, transform],
    ...     fingerprint={"day": "{{ ds }}", "query": Path("query.sql"), "sales": sales},
    ...     outputs=[datastore.path("clean/sales.csv")],
    ... )

    When nothing of it changed since all guards succeeded once, they are skipped together, and get the XComs
    that they left then. What the guards themselves declare counts, too: a bash command, the text of a
    TaskFlow function, the values that a task is mapped over. What a function calls does not: name such files
    in the fingerprint. Templates of the guards count as they are written, not as they are filled in. A guard
    that fails or is skipped leaves no result. Clearing a skipped guard runs it, and from then on nothing is
    reused until all guards have run again; clearing the sensor with its guards runs them all.

    Two runs that start at the same time both run their guards: nobody tells whether other people's tasks are
    still alive, so nobody waits for them. Of a guard that is mapped over another one's result, and of a task
    that is mapped over a guard's result, see that both are guards where the log says so: Airflow keeps no
    XComs of instances that it has not made, and skips what is mapped over a skipped task.

    :param guards: Tasks of the same DAG: operators, what calling a ``@task`` function gives, mapped ones
        (``.expand()``), or TaskGroups. They run after the sensor. Without guards it plans the DAG's steps.
    :param fingerprint: What their result depends on, by name: texts, which are templates; numbers, booleans,
        None, lists and dicts of such; a ``pathlib.Path``, relative to the DAG file, a DataReference or a
        PortDataReference, of which the content counts; a PipelineParameter; results of tasks in front.
    :param outputs: Data that they make, as DataReferences; it has to stand as they left it. It is hashed
        when the last guard has succeeded, for which Airflow gives ``[core] task_success_overtime``: 20 s.
    :param max_age: How old a result may be, as a timedelta or in seconds; default: any age.
    :param xcom_keys: XComs of the guards that are handed on. Those that other tasks of the DAG take as
        arguments are, too. They have to be what Airflow can serialize.
    :param workspace: Where results are kept. Default: ``workspace.yaml`` beside the DAG file, else the
        default one.

    **While it waits:**

    :param wait: Whether to wait for other runs; otherwise the step that needs the result does that.
    :param wait_timeout: How long at most, as a timedelta or in seconds; then the steps start. Default: a day.
        A run that dies is noticed and not waited for.
    :param mode: ``reschedule`` (default) frees the worker after half a minute of waiting, ``poke`` does not.
    :param poke_interval: Seconds until it then looks again.

    Everything that Airflow's sensors take is taken too. Where neither the sensor nor ``default_args`` say
    ``retries``, it has two: the loss of its worker shall not fail a run. What would fail again fails at once.
    """

    template_fields: Sequence[str] = ("fingerprint",)
    ui_color = "#cffafe"

    def __init__(
        self,
        *,
        guards: Sequence[Any] | Any | None = None,
        fingerprint: Mapping[str, Any] | None = None,
        outputs: Sequence[DataReference] | None = None,
        max_age: timedelta | float | None = None,
        xcom_keys: Sequence[str] = ("return_value",),
        workspace: Workspace | None = None,
        wait: bool = True,
        wait_timeout: timedelta | float = timedelta(days=1),
        poke_interval: timedelta | float = 20,
        mode: str = "reschedule",
        **kwargs: Any,
    ) -> None:
        defaults = kwargs.get("default_args") or {}
        if "retries" not in {**defaults, **kwargs}:
            # No run shall fail for the loss of a worker that only looks what there is to run.
            kwargs = {"retry_delay": _RETRY_DELAY, **kwargs, "retries": _RETRIES}
        fails_at_once = choose_policy(kwargs, defaults)
        super().__init__(poke_interval=poke_interval, mode=mode, **kwargs)
        self.fails_at_once = fails_at_once
        self.wait = wait
        self.wait_timeout = (
            wait_timeout if isinstance(wait_timeout, timedelta) else timedelta(seconds=wait_timeout)
        ).total_seconds()
        self._first_look: float | None = None
        self._planned: PlannedRun | None = None
        self.guards: tuple[str, ...] = ()
        self.fingerprint: dict[str, Any] = {}
        self.outputs: tuple[DataReference, ...] = ()
        self.max_age = _checked_age(self.task_id, max_age)
        self.xcom_keys = _checked_keys(self.task_id, xcom_keys)
        self.workspace = workspace
        self._base = declaring_folder(self.get_dag())
        if guards is not None:
            self._guard(guards, fingerprint, outputs)
            return
        # Not so the workspace, which a DAG may give to all its tasks.
        given = {"fingerprint": fingerprint, "outputs": outputs, "max_age": max_age}
        for argument, value in given.items():
            if value is not None:
                raise refused(
                    self.task_id,
                    argument,
                    "it is for guards, and there are none",
                    "Steps know all that themselves; for other tasks say which: guards=[...].",
                )

    def _guard(self, guards: Any, fingerprint: Mapping[str, Any] | None, outputs: Any) -> None:
        from mlsteps.sensors.fingerprint import checked_fingerprint, parameters_of
        from mlsteps.sensors.guarded_outputs import checked_outputs
        from mlsteps.sensors.guards import guard, guard_tasks

        tasks = guard_tasks(self, guards)
        self.guards = tuple(task.task_id for task in tasks)
        self.fingerprint = checked_fingerprint(self.task_id, fingerprint, self.guards)
        self.outputs = checked_outputs(self.task_id, outputs)
        guard(self, tasks)
        dag = tasks[0].get_dag()
        add_form_fields(dag, self.task_id, parameters_of(self.task_id, self.fingerprint))

    def resolve_template_files(self) -> None:
        """Called by Airflow when a DAG is complete: then it is known what can be made to run anew."""
        super().resolve_template_files()
        offer_regeneration(self.get_dag(), _names_to_choose)

    def poke(self, context: Context) -> bool:
        """Plan; False while another run is computing a result that is needed here."""
        from mlsteps.sensors.planned_run import PlannedRun

        in_place = time.monotonic() + (_SECONDS_IN_PLACE if self.reschedule else 0)
        told: list[str] = []
        while True:
            self._planned = planned = PlannedRun.of(self, context)
            waits_for = planned.computed_elsewhere() if self.wait else []
            if not waits_for:
                return True
            if waits_for != told:
                self.log.info("Waiting for %s.", ", ".join(waits_for))
                told = waits_for
            while planned.computed_elsewhere() == waits_for:
                if self._waited(context) >= self.wait_timeout:
                    self.log.warning("Not waiting any longer for %s.", ", ".join(waits_for))
                    return True
                if time.monotonic() >= in_place:
                    planned.remember()
                    return False
                time.sleep(_SECONDS_BETWEEN_LOOKS)
            planned.remember()

    def execute(self, context: Context) -> None:
        """Wait for other runs, then skip what is reused.

        :raises DownstreamTasksSkipped: tells Airflow which tasks that are.
        """
        with failing_at_once(self.fails_at_once):
            self._decide(context)

    def _decide(self, context: Context) -> None:
        if self.guards:
            self._decide_about_guards(context)
            return
        super().execute(context)
        assert self._planned is not None
        self._planned.done_waiting()
        skipped: Sequence[str] = self._planned.carry_out()
        if skipped:
            raise DownstreamTasksSkipped(tasks=list(skipped))  # type: ignore[no-untyped-call]

    def _decide_about_guards(self, context: Context) -> None:
        from mlsteps.sensors.guarded import GuardedRun

        skipped = GuardedRun(self, context).skipped()
        if skipped:
            raise DownstreamTasksSkipped(tasks=skipped)  # type: ignore[no-untyped-call]

    def effective_workspace(self) -> Workspace:
        """The workspace that results of the guards are kept in."""
        return which_workspace(self.workspace, self._base)

    def fingerprint_reader(self, workspace: Workspace, parameters: Mapping[str, Any]) -> FingerprintReader:
        """What reads the fingerprint's values and data."""
        from mlsteps.sensors.fingerprint import FingerprintReader

        return FingerprintReader(self.task_id, self._base, workspace, parameters)

    def _waited(self, context: Context) -> float:
        """Seconds since the first look, which an earlier process may have had."""
        from airflow.sdk import timezone

        if self._first_look is None:
            self._first_look = time.monotonic()
        here = time.monotonic() - self._first_look
        first = context["ti"].get_first_reschedule_date(context) if self.reschedule else None
        return max(here, (timezone.utcnow() - first).total_seconds()) if first is not None else here


def _names_to_choose(dag: DAG) -> Iterator[str]:
    yield from names_of_steps(dag)
    for task in dag.tasks:
        if isinstance(task, ReuseSensor) and task.guards:
            yield from (task.task_id, *task.guards)


def _checked_age(sensor: str, value: object) -> timedelta | None:
    try:
        return as_age(value)
    except ValueError as error:
        raise refused(sensor, "max_age", str(error)) from None


def _checked_keys(sensor: str, value: object) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)) and all(isinstance(key, str) and key for key in value):
        return tuple(value)
    raise refused(
        sensor,
        "xcom_keys",
        f"expected a list of texts, got {value!r}",
        "For example: xcom_keys=['return_value'].",
    )

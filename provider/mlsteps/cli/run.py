"""``mlsteps run``: the pipelines of a DAG file, in this process."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.cli.report import RunReport, report_run
from mlsteps.exceptions import PipelineParameterError, UserErrorException
from mlsteps.local_airflow import quieten, run_dag
from mlsteps.runs import Experiment, PipelineRun
from mlsteps.workspace import Workspace

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from mlsteps.steps import PipelineStep


def run_file(file: Path, params: Sequence[str], only: str | None, *, verbose: bool = False) -> RunReport:
    """Run the DAGs of a file one after the other, with progress on the error stream.

    :param params: Texts ``NAME=VALUE``.
    :param only: The id of the one DAG to run; None runs all.
    :raises MlstepsException: the file, a parameter or a name is wrong; nothing was run.
    """
    if not verbose:
        quieten()
    from mlsteps.cli.progress import Progress
    from mlsteps.compat import listening
    from mlsteps.steps.observers import observing

    dags = chosen_dags(file, only)
    confs = parameters_of(dags, params)
    for dag in dags:
        _check(dag)
    reports = []
    for dag in dags:
        progress = Progress(dag, quiet=verbose)
        with observing(progress), listening(progress.task_changed), progress.shown():
            finished = run_dag(dag, confs[dag.dag_id])
        workspace = _workspace_of(dag)
        report = report_run(finished, workspace.record_store())
        experiment = Experiment(workspace, dag.dag_display_name or dag.dag_id)
        PipelineRun(experiment, finished.run_id, _dag_id=dag.dag_id).finish(
            "failed" if finished.failed else "success"
        )
        progress.finished(report)
        reports.append(report)
    return RunReport(tuple(reports))


def chosen_dags(file: Path, only: str | None) -> list[DAG]:
    """The DAGs of a file, or the one with an id.

    :raises UserErrorException: the file cannot be read, or has no such DAG.
    """
    from mlsteps.dag_files import load_dags

    dags = load_dags(file)
    if only is None:
        return dags
    chosen = [dag for dag in dags if dag.dag_id == only]
    if not chosen:
        known = ", ".join(dag.dag_id for dag in dags)
        raise UserErrorException(f"{file} has no DAG {only!r}; it has {known}.")
    return chosen


def parameters_of(dags: Sequence[DAG], params: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Values for each DAG; a parameter goes to every DAG that has it."""
    from mlsteps.sensors.guarded import names_to_regenerate
    from mlsteps.steps.parameters import REGENERATE
    from mlsteps.steps.regenerate import Regenerate

    confs: dict[str, dict[str, Any]] = {dag.dag_id: {} for dag in dags}
    for text in params:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise PipelineParameterError(f"--param {text!r} is not of the form NAME=VALUE.")
        takers = [dag for dag in dags if name in dag.params]
        if not takers:
            known = ", ".join(sorted({param for dag in dags for param in dag.params})) or "no parameters"
            raise PipelineParameterError(f"There is no parameter {name!r}; there is {known}.")
        for dag in takers:
            confs[dag.dag_id][name] = _typed(name, value, dag)
    for dag in dags:
        Regenerate.parse(confs[dag.dag_id].get(REGENERATE)).check(names_to_regenerate(dag))
    return confs


def _typed(name: str, text: str, dag: DAG) -> Any:
    """``text`` as the type that the parameter declares, checked as Airflow checks it."""
    param = dag.params.get_param(name)
    declared = param.schema.get("type")
    types = declared if isinstance(declared, list) else [declared]
    candidates: list[Any] = []
    if "string" not in types or "array" in types:
        with contextlib.suppress(ValueError):
            candidates.append(json.loads(text if text not in ("True", "False") else text.lower()))
    if "string" in types or declared is None:
        candidates.append(text)
    error: Exception | None = None
    for candidate in candidates:
        try:
            return param.resolve(value=candidate)
        except Exception as problem:  # Airflow raises a class that has moved between its versions
            error = problem
    wanted = " or ".join(str(kind) for kind in types)
    reason = str(error).strip().splitlines()[0] if error else f"it must be {wanted}"
    raise PipelineParameterError(
        f"Parameter {name!r} of {dag.dag_id!r} cannot be {text!r}: {reason}."
    ) from error


def _steps(dag: DAG) -> list[PipelineStep]:
    from mlsteps.steps import PipelineStep

    return [task for task in dag.tasks if isinstance(task, PipelineStep)]


def _check(dag: DAG) -> None:
    """Find what can be found before anything is started."""
    for step in _steps(dag):
        step.resolve_compute_target()


def _workspace_of(dag: DAG) -> Workspace:
    steps = _steps(dag)
    return steps[0].effective_workspace() if steps else Workspace()

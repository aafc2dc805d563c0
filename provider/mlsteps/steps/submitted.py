"""Submission: what whoever started a run said of it, besides the values of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlsteps.steps.parameters import REGENERATE

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from mlsteps.runs import RunRequest

# Key of a DAG run's conf that holds what is not a parameter.
CONF_KEY = "mlsteps"

# The property of a run that says which run it is part of.
PARENT = "ParentRunId"

# Attribute of a DAG that holds what is said of all of its runs.
_ALL_RUNS = "mlsteps_submission"


@dataclass(frozen=True)
class Submission:
    """What a run is told along with its parameters.

    :param experiment: The label that it runs under; default: what the DAG is called.
    :param description: For people.
    :param tags, properties: Of the run.
    :param continue_on_step_failure: Whether steps go on that do not depend on one that failed; None is
        Airflow's rule, by which they do.
    """

    experiment: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    continue_on_step_failure: bool | None = None

    def conf(self) -> dict[str, Any]:
        """As it stands in a DAG run's conf, which holds JSON."""
        said = {
            "experiment": self.experiment,
            "description": self.description,
            "tags": _texts(self.tags),
            "properties": _texts(self.properties),
            "continue_on_step_failure": self.continue_on_step_failure,
        }
        return {CONF_KEY: {key: value for key, value in said.items() if value not in (None, {})}}

    @classmethod
    def of(cls, conf: object) -> Submission:
        """What :meth:`conf` wrote; anybody may write a conf, so what is not understood is passed over."""
        said = conf if isinstance(conf, Mapping) else {}
        go_on = said.get("continue_on_step_failure")
        return cls(
            _text(said.get("experiment")),
            _text(said.get("description")),
            _texts(said.get("tags")),
            _texts(said.get("properties")),
            go_on if isinstance(go_on, bool) else None,
        )

    def over(self, other: Submission) -> Submission:
        """Both; what this one says counts."""
        go_on = self.continue_on_step_failure
        return Submission(
            self.experiment or other.experiment,
            self.description or other.description,
            {**other.tags, **self.tags},
            {**other.properties, **self.properties},
            other.continue_on_step_failure if go_on is None else go_on,
        )


def conf_of(request: RunRequest) -> dict[str, Any]:
    """The conf of the DAG run that somebody wants.

    :param request: With parameters that were checked.
    """
    regenerate = {REGENERATE: "all"} if request.regenerate_outputs else {}
    parent = {PARENT: request.parent_run_id} if request.parent_run_id else {}
    submission = Submission(
        experiment=request.experiment.name,
        tags=request.tags,
        properties={**request.properties, **parent},
        continue_on_step_failure=bool(request.continue_on_step_failure),
    )
    return {**request.parameters, **regenerate, **submission.conf()}


def say_of_all_runs(dag: DAG, submission: Submission) -> None:
    """Say something of all runs of a DAG. It holds where its DAG file is read, as every task does."""
    setattr(dag, _ALL_RUNS, submission)


def said_of_all_runs(dag: DAG | None) -> Submission:
    """What was said of all runs of a DAG."""
    found = getattr(dag, _ALL_RUNS, None)
    return found if isinstance(found, Submission) else Submission()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(one) for key, one in value.items()} if isinstance(value, Mapping) else {}

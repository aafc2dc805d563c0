"""Which steps make and which read each piece of data, so that order comes from the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlsteps.exceptions import PipelineValidationError
from mlsteps.steps.ports import StepData

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from mlsteps.steps.base import PipelineStep


def register(step: PipelineStep) -> None:
    """Remember what a newly declared step makes and reads, and connect it where both sides are in one DAG.

    :raises PipelineValidationError: another step of the DAG makes the same output.
    """
    dag = step.get_dag()
    for port in step.output_ports:
        if dag is not None:
            other = maker(port.data, dag)
            if other is not None:
                raise two_makers(port.name, other, step)
        port.data.origin.makers.append(step)
        if dag is not None:
            for reader in port.data.origin.readers:
                if reader.get_dag() is dag:
                    reader.connect(port, step)
    for input_port in step.input_ports:
        data = input_port.step_data
        if data is None:
            continue
        data.origin.readers.append(step)
        found = maker(data, dag) if dag is not None else None
        if found is not None:
            step.connect(found.output_port(data), found)


def maker(data: StepData, dag: DAG | None) -> PipelineStep | None:
    """The step of ``dag`` that makes ``data``; with None, the one that was declared outside of any DAG.

    Of several declared outside of DAGs the last one counts (SDK v1 rule).
    """
    makers = [step for step in data.origin.makers if step.get_dag() is dag]
    return makers[-1] if makers else None


def two_makers(name: str, first: PipelineStep, second: PipelineStep) -> PipelineValidationError:
    """The error for one output with two makers."""
    return PipelineValidationError(
        f"Step {second.name!r}, argument 'outputs': {name!r} is already an output of step {first.name!r}. "
        f"Give each step an output of its own."
    )

"""Which steps make and which read each piece of data, so that order comes from the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow.sdk import XComArg

from mlsteps.exceptions import PipelineValidationError
from mlsteps.steps.ports import InputPort, OutputPort, StepData

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
                    reader.connect(_inputs_from(reader, port, step))
    for input_port in step.input_ports:
        if input_port.step_data is not None:
            input_port.step_data.origin.readers.append(step)
    made = made_before(step.input_ports, dag) if dag is not None else {}
    if made:
        step.connect(made)


def maker(data: StepData, dag: DAG | None) -> PipelineStep | None:
    """The step of ``dag`` that makes ``data``; with None, the one that was declared outside of any DAG.

    Of several declared outside of DAGs the last one counts (SDK v1 rule).
    """
    makers = [step for step in data.origin.makers if step.get_dag() is dag]
    return makers[-1] if makers else None


def _inputs_from(reader: PipelineStep, port: OutputPort, step: PipelineStep) -> dict[str, XComArg]:
    """By port name: the inputs of ``reader`` that ask for what ``step`` makes on ``port``."""
    reference = XComArg(step, key=port.name)
    return {
        mine.name: reference
        for mine in reader.input_ports
        if mine.step_data is not None and mine.step_data.origin is port.data.origin
    }


def made_before(ports: Sequence[InputPort], dag: DAG | None) -> dict[str, XComArg]:
    """By port name: the output of the step of ``dag`` that makes each input, where it is declared already."""
    made = {}
    for port in ports:
        found = maker(port.step_data, dag) if port.step_data is not None else None
        if port.step_data is not None and found is not None:
            made[port.name] = XComArg(found, key=found.output_port(port.step_data).name)
    return made


def check_all_made(step: PipelineStep) -> None:
    """Refuse a step of a complete DAG that reads what no step of the DAG makes.

    :raises PipelineValidationError: naming the step and the input.
    """
    for port in step.input_ports:
        if port.step_data is not None and port.name not in step.upstream_outputs:
            raise not_made(step.name, port.name)


def not_made(step: str, name: str) -> PipelineValidationError:
    """The error for an input that nobody makes."""
    return PipelineValidationError(
        f"Step {step!r}, argument 'inputs': {name!r} is made by no step. List it in the outputs of the step "
        f"that makes it; the outputs of a mapped step are read through XCom, as mapped.output."
    )


def two_makers(name: str, first: PipelineStep, second: PipelineStep) -> PipelineValidationError:
    """The error for one output with two makers."""
    return PipelineValidationError(
        f"Step {second.name!r}, argument 'outputs': {name!r} is already an output of step {first.name!r}. "
        f"Give each step an output of its own."
    )

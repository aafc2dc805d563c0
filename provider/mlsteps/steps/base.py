"""PipelineStep: what all steps have in common as Airflow operators."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator, XComArg
from airflow.sdk.bases.decorator import get_unique_task_id

from mlsteps.compat import allow_references
from mlsteps.compute.base import ComputeTarget
from mlsteps.data import PipelineParameter
from mlsteps.exceptions import PipelineParameterError, StepDefinitionError
from mlsteps.steps import links
from mlsteps.steps.arguments import Declaration, add_parameter, declare
from mlsteps.steps.declaration import StepMeta, declaring_file
from mlsteps.steps.form import form_field, made_from_parameter
from mlsteps.steps.ports import InputPort, OutputPort, StepData, is_parameter_tuple, make_inputs, make_outputs, separate_names
from mlsteps.workspace import WORKSPACE_FILE, WORKSPACE_VARIABLE, Workspace

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlsteps.compute import JobWatcher
    from mlsteps.data import Datastore, PortDataReference

allow_references()

# Of SDK v1's run configuration only these may be pipeline parameters.
_RUNCONFIG_PARAMETERS = ("NodeCount", "MpiProcessCountPerNode", "TensorflowWorkerCount", "TensorflowParameterServerCount")


class PipelineStep(BaseOperator, metaclass=StepMeta):
    """One step of a pipeline, as an Airflow operator.

    Order comes from the data: where one step's output is another's input, Airflow has the edge, whichever was
    constructed first. Subclasses say what is run by :meth:`command`.

    :param name: Shown in Airflow. The task id is made from it: what Airflow does not allow becomes ``_``, and
        a second step of that name in a DAG becomes ``name__1``.
    :param inputs: Data that it reads.
    :param outputs: Data that it makes; each is pushed to XCom under its name, all of them as ``return_value``.
    :param arguments: The script's arguments: text, numbers, data, PipelineParameters, Airflow XComArgs.
        Templated.
    :param compute_target: A compute target or its name in the workspace; default: the workspace's.
    :param source_directory: Folder that is snapshotted; relative to the DAG file, else to the working directory.
    :param script_params: SDK v1's ``params``: values for the environment variables ``AML_PARAMETER_<name>``.
    :param workspace: Default: the pipeline's, else ``workspace.yaml`` beside the DAG file, else the default one.
    :param default_datastore: For outputs that name none. Default: the workspace's.
    :param task_id: Overrides the id made from ``name``.

    Everything that Airflow's operators take is taken too: ``retries``, ``pool``, ``queue``, ``trigger_rule``...
    (SDK v1: ``azureml.pipeline.core.PipelineStep``.)
    """

    template_fields: Sequence[str] = ("arguments", "script_params", "upstream_outputs")
    ui_color: ClassVar[str] = "#dbeafe"

    step_type: ClassVar[str] = "PipelineStep"

    def __init__(
        self,
        name: str,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        arguments: Sequence[Any] | None = None,
        compute_target: ComputeTarget | str | None = None,
        source_directory: str | os.PathLike[str] | None = None,
        script_params: Mapping[str, Any] | None = None,
        runconfig_pipeline_params: Mapping[str, PipelineParameter] | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
        hash_paths: Sequence[str] | None = None,
        workspace: Workspace | None = None,
        default_datastore: Datastore | None = None,
        task_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise StepDefinitionError(str(name), "name", f"expected a text, got {name!r}")
        if task_id is None:
            task_id = get_unique_task_id(task_id_from_name(name), kwargs.get("dag"), kwargs.get("task_group"))
        if name != task_id:
            kwargs.setdefault("task_display_name", name)
        super().__init__(task_id=task_id, **kwargs)
        self.name = name
        self.compute_target = _checked_compute(name, compute_target)
        self.allow_reuse = allow_reuse
        self.version = version
        self.hash_paths = list(hash_paths or ())
        self.workspace = workspace
        self.default_datastore = default_datastore
        self._run_after_steps: list[PipelineStep] = []
        self._watcher: JobWatcher | None = None

        declared = declare(
            name, arguments, Declaration(make_inputs(name, inputs), make_outputs(name, outputs), (), ())
        )
        self.input_ports = separate_names(name, declared.inputs, declared.outputs)
        self.output_ports = declared.outputs
        parameters = declared.parameters
        for value in (*(script_params or {}).values(), *(inputs or ())):
            if is_parameter_tuple(value):
                value = value[0]
            if isinstance(value, PipelineParameter):
                parameters = add_parameter(name, value, parameters)
        for key, value in (runconfig_pipeline_params or {}).items():
            if key not in _RUNCONFIG_PARAMETERS:
                raise StepDefinitionError(
                    name,
                    "runconfig_pipeline_params",
                    f"{key!r} is not one of {', '.join(_RUNCONFIG_PARAMETERS)}",
                )
            parameters = add_parameter(name, value, parameters)
        self.pipeline_parameters = parameters
        self.arguments = list(declared.arguments)
        self.script_params = {
            key: value if isinstance(value, XComArg) else str(value) for key, value in (script_params or {}).items()
        }
        self.upstream_outputs: dict[str, XComArg] = {}

        self.base_directory = self._base_directory()
        self.source_directory = self._checked_source_directory(source_directory)
        self._check_compute_name()
        self._add_form_fields()
        links.register(self)

    # What a subclass says

    def command(self) -> tuple[str, ...]:
        """The command that is run, before the arguments; ``python`` is the environment's interpreter."""
        raise NotImplementedError

    @property
    def run_configuration(self) -> Any:
        """The RunConfiguration it runs with, or None."""
        return None

    # Declaring

    @property
    def outputs(self) -> Mapping[str, XComArg]:
        """Each output's reference for other operators: ``evaluate(train.outputs["model"])``.

        A TaskFlow function that takes one gets a :class:`~mlsteps.PortDataReference`, and runs after this step.
        """
        return {port.name: XComArg(self, key=port.name) for port in self.output_ports}

    def output_port(self, data: StepData) -> OutputPort:
        """The port on which ``data`` is made."""
        return next(port for port in self.output_ports if port.data.origin is data.origin)

    def connect(self, port: OutputPort, maker: PipelineStep) -> None:
        """Read ``port`` of ``maker`` on every input that asked for its data."""
        reference = XComArg(maker, key=port.name)
        added = {
            mine.name: reference
            for mine in self.input_ports
            if mine.step_data is not None and mine.step_data.origin is port.data.origin
        }
        # Assigning to a template field is what makes Airflow see the edge.
        self.upstream_outputs = {**self.upstream_outputs, **added}
        if maker is self:
            raise StepDefinitionError(self.name, "inputs", f"{port.name!r} is its own output: a cycle")
        self.set_upstream(maker)

    def run_after(self, step: PipelineStep) -> None:
        """Start only when ``step`` is done, although no data passes between the two (SDK v1)."""
        if not isinstance(step, PipelineStep):
            raise StepDefinitionError(self.name, "run_after", f"expected a step, got {type(step).__name__}")
        if self.get_dag() is not None and self.get_dag() is step.get_dag():
            self.set_upstream(step)
        else:
            self._run_after_steps.append(step)

    @property
    def run_after_steps(self) -> tuple[PipelineStep, ...]:
        """Steps given to :meth:`run_after` outside of a DAG."""
        return tuple(self._run_after_steps)

    def declared_again(self, **changes: Any) -> PipelineStep:
        """The same step, made once more: for a DAG of its own."""
        declared: dict[str, Any] = self.declared_arguments  # type: ignore[attr-defined]
        return type(self)(**{**declared, **changes})

    # Running

    def execute(self, context: Context) -> dict[str, PortDataReference]:
        """Run the step; see ``mlsteps.steps.lifecycle``."""
        from mlsteps.steps.lifecycle import run_step

        return run_step(self, context)

    def on_kill(self) -> None:
        """Stop the script's whole process group; Airflow kills this process five seconds later."""
        if self._watcher is not None:
            self._watcher.stop()

    def watch_with(self, watcher: JobWatcher | None) -> None:
        """Let :meth:`on_kill` know what is running."""
        self._watcher = watcher

    def effective_workspace(self) -> Workspace:
        """The workspace this step works in."""
        if self.workspace is not None:
            return self.workspace
        beside = self.base_directory / WORKSPACE_FILE
        if not os.environ.get(WORKSPACE_VARIABLE) and beside.is_file():
            return Workspace(folder=beside)
        return Workspace()

    # Checks

    def _base_directory(self) -> Path:
        dag = self.get_dag()
        file = dag.fileloc if dag is not None and os.path.isfile(dag.fileloc) else declaring_file()
        return Path(os.path.dirname(file) if file else os.getcwd())

    def _checked_source_directory(self, given: str | os.PathLike[str] | None) -> Path:
        text = os.fspath(given) if given is not None else "."
        path = Path(text.replace("\\", "/") if os.sep == "/" else text).expanduser()
        candidates = [path] if path.is_absolute() else [self.base_directory / path, Path(os.getcwd()) / path]
        for candidate in candidates:
            if candidate.is_dir():
                return Path(os.path.normpath(candidate))
        tried = " and ".join(dict.fromkeys(str(os.path.normpath(c)) for c in candidates))
        raise StepDefinitionError(self.name, "source_directory", f"{text!r} does not exist (looked for {tried})")

    def _check_compute_name(self) -> None:
        """Refuse an unknown name as soon as it can be known: now, where the workspace needs no connection."""
        if isinstance(self.compute_target, str) and self.effective_workspace().known_without_lookup():
            self.resolve_compute_target()

    def resolve_compute_target(self, workspace: Workspace | None = None) -> ComputeTarget:
        """The compute target it runs on. May look a connection up.

        :param workspace: Where names are looked up; default: :meth:`effective_workspace`.
        :raises StepDefinitionError: the workspace knows no such compute target.
        """
        if isinstance(self.compute_target, ComputeTarget):
            return self.compute_target
        workspace = workspace or self.effective_workspace()
        name = self.compute_target or self._runconfig_target() or workspace.config.default_compute_target
        if name not in workspace.config.compute_targets:
            known = ", ".join(sorted(workspace.config.compute_targets))
            raise StepDefinitionError(
                self.name,
                "compute_target",
                f"{name!r} is not a compute target of {workspace.config.source}; it knows {known}",
                f"Add it to workspace.yaml: compute_targets: {{{name}: {{type: local}}}}",
            )
        return workspace.compute_targets[name]

    def _runconfig_target(self) -> str | None:
        target = getattr(self.run_configuration, "target", None)
        return target if isinstance(target, str) and target else None

    def _add_form_fields(self) -> None:
        dag = self.get_dag()
        if dag is None:
            return
        for parameter in self.pipeline_parameters:
            known = dag.params.get_param(parameter.name) if parameter.name in dag.params else None
            if known is None:
                dag.params[parameter.name] = form_field(parameter)
            elif made_from_parameter(known) and known.value != parameter.form_default:
                raise PipelineParameterError(
                    f"Step {self.name!r}: the pipeline parameter {parameter.name!r} has the default "
                    f"{parameter.default_value!r} here and {known.value!r} in another step of DAG {dag.dag_id!r}."
                )


def task_id_from_name(name: str) -> str:
    """A task id that Airflow takes, as close to a step's name as can be."""
    return re.sub(r"[^A-Za-z0-9_.\-]+", "_", name.strip())[:200].strip("_") or "step"


def _checked_compute(step: str, compute_target: object) -> ComputeTarget | str | None:
    if isinstance(compute_target, tuple) and compute_target and isinstance(compute_target[0], str):
        compute_target = compute_target[0]  # SDK v1's (name, type)
    if compute_target is None or isinstance(compute_target, (ComputeTarget, str)):
        return compute_target
    raise StepDefinitionError(
        step,
        "compute_target",
        f"expected a compute target or its name, got {type(compute_target).__name__}",
        "Use LocalCompute(), or a name of the workspace's.",
    )

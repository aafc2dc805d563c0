"""PipelineStep: what all steps have in common as Airflow operators."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow.sdk import BaseOperatorLink, TriggerRule, XComArg

from mlsteps.compat import (
    TaskDeferralError,
    TaskDeferralTimeout,
    XComNotFound,
    allow_references,
    current_dag,
)
from mlsteps.compute.base import ComputeTarget
from mlsteps.data import PipelineParameter
from mlsteps.exceptions import DataNotFoundException, StepDefinitionError
from mlsteps.steps import links
from mlsteps.steps.arguments import Declaration, declare, is_filled_in_later
from mlsteps.steps.checks import (
    SUCCESS,
    checked_age,
    checked_name,
    checked_on_reuse,
    checked_patterns,
    checked_source_directory,
)
from mlsteps.steps.declaration import StepMeta, by_keyword, independent_copy
from mlsteps.steps.form import add_form_fields, offer_regeneration
from mlsteps.steps.lineage import LineageOfStep, with_lineage
from mlsteps.steps.parameter_texts import check_texts, filled, texts_of_data
from mlsteps.steps.parameters import named_parameters, parameter_token
from mlsteps.steps.ports import (
    InputPort,
    OutputPort,
    StepData,
    make_inputs,
    make_outputs,
    separate_names,
)
from mlsteps.steps.retrying import choose_policy, failing_at_once
from mlsteps.steps.reuse_link import ReusedFromLink
from mlsteps.steps.run_facts import parameters_of_run, template_context
from mlsteps.steps.task_ids import free_task_id, task_id_from_name
from mlsteps.steps.which_compute import (
    check_compute_name,
    checked_compute,
    compute_target_called,
    name_of_target,
    pool_for,
    take_pool,
)
from mlsteps.steps.which_workspace import declaring_folder, which_workspace
from mlsteps.workspace import Workspace

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import DAG, Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from mlsteps.compute import JobWatcher
    from mlsteps.data import Datastore, PortDataReference
    from mlsteps.reuse.frozen import FrozenCode
    from mlsteps.steps.resolving import ResolvedStep

allow_references()

_A_DAY = timedelta(days=1)


class PipelineStep(LineageOfStep, metaclass=StepMeta):
    """One step of a pipeline, as an Airflow operator.

    Order comes from the data: where one step's output is another's input, Airflow has the edge, whichever was
    constructed first. Subclasses say what is run by :meth:`command`.

    :param name: Shown in Airflow. The task id is made from it: what Airflow does not allow becomes ``_``, and
        a second step of that name in a DAG becomes ``name__1``.
    :param inputs: Data that it reads.
    :param outputs: Data that it makes; each goes to XCom under its name, all of them as ``return_value``.
    :param arguments: The script's arguments: text, numbers, data, PipelineParameters, Airflow XComArgs.
        Templated.
    :param compute_target: A compute target or its name in the workspace, which a parameter may be; default:
        the workspace's.
    :param source_directory: Folder that is snapshotted; relative to the DAG file, or to the working folder.
    :param allow_reuse: Whether an earlier result may stand for this step when nothing changed.
    :param version: Part of what decides whether something changed.
    :param hash_paths: Further files or folders, relative to ``source_directory``, whose content counts.
    :param source_files: Only these files of ``source_directory`` are taken along, so that a change of others
        does not count: patterns as in a ``.gitignore`` file. Default: all that ``.amlignore`` leaves.
    :param on_reuse: How Airflow shows that it was reused: ``skip`` (default) as a skipped task; ``success``
        as one that ran, so that tasks behind it with Airflow's default trigger rule run too.
    :param reuse_max_age: How old a result may be to stand for this step, as a timedelta or in seconds;
        default: any age.
    :param reuse_timeout: How long to wait for a run that is computing the same result right now before
        computing it here too, as a timedelta or in seconds. Default: a day; one that dies is not waited for.
    :param script_params: SDK v1's ``params``: values for the environment variables ``AML_PARAMETER_<name>``.
    :param workspace: Default: the pipeline's, else ``workspace.yaml`` beside the DAG file, else the default.
    :param default_datastore: For outputs that name none. Default: the workspace's.
    :param task_id: Overrides the id made from ``name``.
    :param upstream_outputs: Set by the step itself: where the data of its inputs comes from.
    :param frozen_code: Set for a published pipeline: its code, instead of a source directory.
    :param pipeline_parameters: Those that stand in texts only: in the path of a DataReference or an
        OutputFileDatasetConfig, or the name of a dataset or compute target, as ``f"{customer}/train"``.

    Everything that Airflow's operators take is taken too: ``retries``, ``pool``, ``trigger_rule``... Of
    ``retries`` the default ``retry_policy`` makes use only where another try may end otherwise: not when the
    script itself has failed. ``retry_policy=None`` has it tried again whatever fails.
    (SDK v1: ``azureml.pipeline.core.PipelineStep``.)
    """

    template_fields: Sequence[str] = ("arguments", "script_params", "upstream_outputs")
    ui_color = "#dbeafe"
    operator_extra_links: Collection[BaseOperatorLink] = (ReusedFromLink(),)

    step_type: ClassVar[str] = "PipelineStep"

    # What the step was constructed with, see declared_again.
    declared_arguments: Mapping[str, Any]

    name: str
    compute_target: ComputeTarget | str | None
    allow_reuse: bool
    version: str | None
    hash_paths: list[str]
    source_files: list[str]
    on_reuse: str | None
    reuse_max_age: timedelta | None
    reuse_timeout: float
    workspace: Workspace | None
    default_datastore: Datastore | None
    input_ports: tuple[InputPort, ...]
    output_ports: tuple[OutputPort, ...]
    pipeline_parameters: tuple[PipelineParameter, ...]
    arguments: list[str | XComArg]
    script_params: dict[str, Any]
    upstream_outputs: dict[str, XComArg]
    frozen_code: FrozenCode | None
    base_directory: Path
    source_directory: Path
    # Where the result came from that was handed on, once that is known.
    reused_from_url: str
    trigger_rule_is_ours: bool
    fails_at_once: bool
    _run_after_steps: list[PipelineStep]
    _watcher: JobWatcher | None

    def _declare(
        self,
        name: str,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        arguments: Sequence[Any] | None = None,
        compute_target: ComputeTarget | str | PipelineParameter | None = None,
        source_directory: str | os.PathLike[str] | None = None,
        script_params: Mapping[str, Any] | None = None,
        runconfig_pipeline_params: Mapping[str, PipelineParameter] | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
        hash_paths: Sequence[str] | None = None,
        source_files: Sequence[str] | None = None,
        on_reuse: str | None = None,
        reuse_max_age: timedelta | float | None = None,
        reuse_timeout: timedelta | float | None = None,
        workspace: Workspace | None = None,
        default_datastore: Datastore | None = None,
        task_id: str | None = None,
        upstream_outputs: Mapping[str, XComArg] | None = None,
        frozen_code: FrozenCode | None = None,
        pipeline_parameters: Sequence[PipelineParameter] | None = None,
        **kwargs: Any,
    ) -> None:
        """The constructor of every step; no ``__init__``, because Airflow wraps each of those once more."""
        checked_name(name)
        if task_id is None:
            task_id = free_task_id(task_id_from_name(name), kwargs.get("dag"), kwargs.get("task_group"))
        if name != task_id:
            kwargs.setdefault("task_display_name", name)
        # A step that was reused is skipped, and that must not skip what comes after it.
        ours = "trigger_rule" not in kwargs and "trigger_rule" not in (kwargs.get("default_args") or {})
        if ours:
            kwargs["trigger_rule"] = TriggerRule.NONE_FAILED
        fails_at_once = choose_policy(kwargs, kwargs.get("default_args") or {})
        super().__init__(task_id=task_id, **kwargs)

        input_ports, output_ports = make_inputs(name, inputs), make_outputs(name, outputs)
        others = list(pipeline_parameters or ())
        if isinstance(compute_target, PipelineParameter):
            others.append(compute_target)
            compute_target = str(compute_target)
        parameters = named_parameters(name, inputs, script_params, runconfig_pipeline_params, others)
        declared = declare(
            name, arguments, Declaration(input_ports, output_ports, (), parameters), script_params
        )
        compute_target = checked_compute(name, compute_target)
        named = [("compute_target", compute_target)] if isinstance(compute_target, str) else []
        texts = (*texts_of_data(declared.inputs, declared.outputs), *named)
        check_texts(name, texts, map(parameter_token, declared.parameters))
        base_directory = declaring_folder(self.get_dag())
        # All at once: Airflow's operators take every single assignment through several looks at it.
        self.__dict__.update(
            name=name,
            compute_target=compute_target,
            allow_reuse=allow_reuse,
            version=version,
            hash_paths=list(hash_paths or ()),
            source_files=checked_patterns(name, source_files),
            on_reuse=checked_on_reuse(name, on_reuse),
            reuse_max_age=checked_age(name, "reuse_max_age", reuse_max_age),
            reuse_timeout=(checked_age(name, "reuse_timeout", reuse_timeout) or _A_DAY).total_seconds(),
            reused_from_url="",
            trigger_rule_is_ours=ours,
            fails_at_once=fails_at_once,
            workspace=workspace,
            default_datastore=default_datastore,
            input_ports=separate_names(name, declared.inputs, declared.outputs),
            output_ports=declared.outputs,
            pipeline_parameters=declared.parameters,
            arguments=list(declared.arguments),
            script_params={
                key: value if is_filled_in_later(value) else str(value)
                for key, value in (script_params or {}).items()
            },
            upstream_outputs=dict(upstream_outputs or {}),
            frozen_code=frozen_code,
            base_directory=base_directory,
            source_directory=checked_source_directory(name, source_directory, base_directory),
            _run_after_steps=[],
            _watcher=None,
        )

    def enter(self, declared: Mapping[str, Any]) -> None:
        """Take part in the pipeline: called once, when the step's declaration is complete and found good.

        :param declared: What the step was constructed with.
        """
        self.__dict__.update(declared_arguments=declared, declares_lineage=True)
        # A step without a folder or DAG of its own may get both from a Pipeline, which then checks.
        if declared.get("source_directory") is not None or self.get_dag() is not None:
            self.check_code(self.source_directory)
        self._check_compute_name()
        add_form_fields(self.get_dag(), self.name, self.pipeline_parameters)
        links.register(self)
        if self.get_dag() is not None:
            take_pool(self)

    # What a subclass says

    runs_code: ClassVar[bool] = True
    """Whether it runs code in an environment."""

    has_environment_of_its_own: ClassVar[bool] = False
    """Whether that environment is said by the step itself, and not by its run configuration."""

    outputs_lie_among_others: bool = False
    """Whether files of others may lie where its outputs are."""

    @property
    def own_data(self) -> Sequence[StepData]:
        """Data of its outputs that it made by itself, so that nobody declared it."""
        return ()

    @property
    def takes_source(self) -> bool:
        """Whether the code is of its source directory."""
        return self.runs_code

    def output_place(self, resolved: ResolvedStep) -> tuple[Datastore, str] | None:
        """Datastore and path of its one output, where that is declared; None is a place of each try's own.

        :raises StepDefinitionError: the output cannot be there.
        """
        return None

    def command(self) -> tuple[str, ...]:
        """The command that is run, before the arguments; ``python`` is the environment's interpreter."""
        raise NotImplementedError

    def taken_along(self) -> tuple[str, ...]:
        """Patterns of the files that its script gets; none means all of the source directory."""
        return tuple(self.source_files)

    def check_source(self, directory: Path) -> None:
        """Refuse a source directory that lacks what is to be run.

        :raises StepDefinitionError: naming what is missing.
        """

    def check_code(self, directory: Path) -> None:
        """As :meth:`check_source`, unless its code is frozen: that was checked when it was published."""
        if self.frozen_code is None:
            self.check_source(directory)

    @property
    def is_published(self) -> bool:
        """Whether it is of a published pipeline, which somebody else may have written."""
        return self.frozen_code is not None

    @property
    def source_notes(self) -> Mapping[str, Any]:
        """What its record says of its code beside the snapshot."""
        return {}

    @property
    def skips_when_reused(self) -> bool:
        """Whether Airflow shows it as skipped when an earlier result stands for it."""
        return self.on_reuse != SUCCESS

    @property
    def run_configuration(self) -> Any:
        """The RunConfiguration it runs with, or None."""
        return None

    # Declaring

    @property
    def outputs(self) -> Mapping[str, XComArg]:
        """Each output's reference for other operators: ``evaluate(train.outputs["model"])``.

        A TaskFlow function that takes one gets a :class:`~mlsteps.PortDataReference`, and runs after it.
        """
        return {port.name: XComArg(self, key=port.name) for port in self.output_ports}

    def output_port(self, data: StepData) -> OutputPort:
        """The port on which ``data`` is made."""
        return next(port for port in self.output_ports if port.data.origin is data.origin)

    def connect(self, references: Mapping[str, XComArg]) -> None:
        """Read inputs, given by name, from the outputs of other steps of the DAG."""
        makers: dict[str, Any] = {}
        for reference in references.values():
            for maker, output in reference.iter_references():
                if maker is self:
                    raise StepDefinitionError(self.name, "inputs", f"{output!r} is its own output: a cycle")
                makers[maker.task_id] = maker
        for maker in makers.values():
            self._refuse_cycle("inputs", maker)
        # Not assigned anew: Airflow would then go through the edges of all inputs again.
        self.upstream_outputs.update(references)
        self.set_upstream(list(makers.values()))

    def run_after(self, step: PipelineStep) -> None:
        """Start only when ``step`` is done, although no data passes between the two (SDK v1)."""
        if not isinstance(step, PipelineStep):
            raise StepDefinitionError(self.name, "run_after", f"expected a step, got {type(step).__name__}")
        if self.get_dag() is not step.get_dag():
            raise StepDefinitionError(self.name, "run_after", f"step {step.name!r} is not in the same DAG")
        if self.get_dag() is None:
            self._run_after_steps.append(step)
        else:
            self._refuse_cycle("run_after", step)
            self.set_upstream(step)

    @property
    def run_after_steps(self) -> tuple[PipelineStep, ...]:
        """Steps given to :meth:`run_after` outside of a DAG."""
        return tuple(self._run_after_steps)

    def prepare(self, workspace: Workspace) -> None:
        """Find out what the step is of that only the workspace knows: when it runs, is planned or published.

        May ask a store. Each call finds out anew.

        :raises StepDefinitionError: it cannot be what was declared.
        """

    def go_on_as(self, source: Mapping[str, Any]) -> None:
        """Be prepared as the first part of this try was, whose job goes on.

        :param source: What the record says of the code.
        """

    def prepared(self, workspace: Workspace) -> PipelineStep:
        """A copy of this step that has been prepared."""
        twin = independent_copy(self)
        twin.prepare(workspace)
        return twin

    def frozen_arguments(self) -> Mapping[str, Any]:
        """What makes a prepared step again as it is now, whatever the workspace says later."""
        return self.declared_arguments

    def declared_again(self, **changes: Any) -> PipelineStep:
        """The same step, made once more: for a DAG of its own."""
        return type(self)(**{**self.declared_arguments, **changes})

    def copied_into(self, dag: DAG, task_id: str, **changes: Any) -> PipelineStep:
        """This step in a DAG of its own: a copy, made in a third of the time that making it once more takes.

        For a DAG without ``default_args``, which only a step that is made there takes over.

        :param changes: Attributes that are different there.
        """
        twin = independent_copy(self)
        twin.__dict__.update(changes, task_id=task_id, _run_after_steps=[])
        if self.name != task_id and twin._task_display_name is None:
            twin._task_display_name = self.name
        twin.dag = dag
        add_form_fields(dag, self.name, self.pipeline_parameters)
        links.register(twin)
        take_pool(twin)
        return twin

    @classmethod
    def data_given(cls, name: str, given: Mapping[str, Any]) -> tuple[Any, Any]:
        """The inputs and outputs among the arguments of a call."""
        return given.get("inputs"), given.get("outputs")

    @classmethod
    def partial(cls, *args: Any, **kwargs: Any) -> OperatorPartial:
        """One task for each element of a list: ``PythonScriptStep.partial(...).expand(arguments=[...])``.

        Takes what the step takes. Steps whose outputs it reads have to be declared before it. What it makes
        is read through XCom, as ``mapped.output``: a step's ``inputs`` cannot hold the data of many tasks.

        :raises PipelineValidationError: no step that was declared before makes an input.
        """
        given = by_keyword(cls, args, kwargs)
        name = checked_name(given.get("name") or given.get("script_name") or given.get("task_id"))
        dag = given.get("dag") or current_dag()
        listed = cls.data_given(name, given)
        inputs = make_inputs(name, listed[0])
        made = links.made_before(inputs, dag)
        for port in inputs:
            if port.step_data is not None and port.name not in made:
                raise links.not_made(name, port.name)
        if "task_id" not in given:
            given["task_id"] = free_task_id(task_id_from_name(name), dag, given.get("task_group"))
        if name != given["task_id"]:
            given.setdefault("task_display_name", name)
        default_args = dag.default_args if dag is not None else {}
        if "trigger_rule" not in default_args:
            given.setdefault("trigger_rule", TriggerRule.NONE_FAILED)
        choose_policy(given, default_args)
        if cls.runs_code and "pool" not in {**given, **default_args}:
            target = checked_compute(name, given.get("compute_target"))
            named = name_of_target(target, given.get("runconfig"))
            beside = declaring_folder(dag)
            pool = pool_for(target, named, lambda: which_workspace(given.get("workspace"), beside))
            given.update({"pool": pool} if pool else {})
        partial = super().partial(**{**given, "name": name, "upstream_outputs": made})
        return with_lineage(partial, inputs, make_outputs(name, listed[1]))

    def resolve_template_files(self) -> None:
        """Called by Airflow when a DAG is complete, which is when a missing maker of an input can be known.

        :raises PipelineValidationError: no step of the DAG makes an input.
        """
        super().resolve_template_files()
        links.check_all_made(self)
        offer_regeneration(self.get_dag(), names_of_steps)

    # Running

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """Fill arguments and inputs in, before :meth:`execute`.

        :raises DataNotFoundException: a step or task that makes an input or an argument left none.
        :raises AirflowSkipException: a step that makes an input was skipped.
        :raises PipelineParameterError: a parameter's default is a template that this run cannot fill in.
        """
        from mlsteps.steps.upstream import made_upstream

        self.declares_lineage = False
        self.upstream_outputs = made_upstream(self, context)
        known = template_context(self, context, parameters_of_run(self, context))
        try:
            super().render_template_fields(cast("Context", known), jinja_env)
        except XComNotFound as error:
            raise DataNotFoundException(
                f"Step {self.name!r} lacks an argument, because the task that gives it left none "
                f"in this run (it was skipped, or failed): {error}"
            ) from error

    def execute(self, context: Context) -> dict[str, PortDataReference]:
        """Run the step; see ``mlsteps.steps.lifecycle``."""
        return self._run(context, None)

    def resume(self, context: Context, event: Mapping[str, Any]) -> dict[str, PortDataReference]:
        """Go on after Airflow's triggerer has waited; see ``mlsteps.steps.lifecycle``."""
        return self._run(context, event["suspended"])

    def _run(self, context: Context, suspended: Mapping[str, Any] | None) -> dict[str, PortDataReference]:
        from mlsteps.steps.lifecycle import run_step

        with failing_at_once(self.fails_at_once):
            return run_step(self, context, suspended)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Called by Airflow to go on; also where the wait has failed, as a job may be left that nobody ends.

        :raises TaskDeferralError: the wait has failed, and there is no such job.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralError, TaskDeferralTimeout) as lost:
            from mlsteps.steps.lifecycle import take_over

            with failing_at_once(self.fails_at_once):
                return take_over(self, context, lost)

    def on_kill(self) -> None:
        """Stop the script's whole process group; Airflow kills this process five seconds later."""
        if self._watcher is not None:
            self._watcher.stop()

    def watch_with(self, watcher: JobWatcher | None) -> None:
        """Let :meth:`on_kill` know what is running."""
        self._watcher = watcher

    def effective_workspace(self) -> Workspace:
        """The workspace this step works in."""
        return which_workspace(self.workspace, self.base_directory)

    # Checks

    def _check_compute_name(self) -> None:
        """Refuse an unknown name as soon as it can be known: now, where the workspace needs no connection.

        Outside of a DAG the workspace may still be the Pipeline's, which then checks.
        """
        if self.workspace is None and self.get_dag() is None:
            return
        if self.names_compute_target:
            check_compute_name(self, self.effective_workspace())

    def _refuse_cycle(self, argument: str, before: PipelineStep) -> None:
        # A cycle needs a way from here to there; looking for one would make a long chain's cost quadratic.
        possible = self.downstream_task_ids and before.upstream_task_ids
        if before is self or (possible and self.task_id in before.get_flat_relative_ids(upstream=True)):
            raise StepDefinitionError(
                self.name, argument, f"step {before.name!r} already comes after this step: a cycle"
            )

    @property
    def names_compute_target(self) -> bool:
        """Whether its compute target is given as a name, which the workspace has to know."""
        return not isinstance(self.compute_target, ComputeTarget) and bool(self.compute_target_name)

    def resolve_compute_target(
        self, workspace: Workspace | None = None, values: Mapping[str, str] | None = None
    ) -> ComputeTarget:
        """The compute target it runs on. May look a connection up.

        :param workspace: Where names are looked up; default: :meth:`effective_workspace`.
        :param values: What stands for the tokens of parameters in this run; default: their defaults.
        :raises StepDefinitionError: the workspace knows no such compute target.
        """
        if isinstance(self.compute_target, ComputeTarget):
            return self.compute_target
        workspace = workspace or self.effective_workspace()
        name = self.compute_target_in(values) or workspace.config.default_compute_target
        return compute_target_called(self, name, workspace)

    def compute_target_in(self, values: Mapping[str, str] | None = None) -> str:
        """The name of its compute target in a run with these values; default: the parameters' defaults."""
        if values is None:
            values = {parameter_token(p): str(p.form_default) for p in self.pipeline_parameters}
        return filled(self.compute_target_name, values)

    @property
    def compute_target_name(self) -> str:
        """The name of its compute target, as it was given; empty for the workspace's default one."""
        return name_of_target(self.compute_target, self.run_configuration)


def names_of_steps(dag: DAG) -> Iterator[str]:
    """The names of a DAG's steps, mapped ones too."""
    return (step_name(task) for task in dag.tasks if is_step(task))


def is_step(task: Any) -> bool:
    """Whether a task of a DAG is one of our steps, mapped or not."""
    kind = getattr(task, "operator_class", type(task))
    return isinstance(kind, type) and issubclass(kind, PipelineStep)


def step_name(task: Any) -> str:
    """The name of a step, mapped or not."""
    return str(getattr(task, "name", None) or getattr(task, "partial_kwargs", {}).get("name") or task.task_id)

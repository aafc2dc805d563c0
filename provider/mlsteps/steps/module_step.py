"""ModuleStep: a step that runs a version of a module of the workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from mlsteps.compute import PYTHON
from mlsteps.exceptions import StepDefinitionError
from mlsteps.steps.base import PipelineStep
from mlsteps.steps.module_content import ModuleContent
from mlsteps.steps.module_interface import Wiring, is_bare
from mlsteps.steps.module_lookup import WantedModule, content_of
from mlsteps.steps.module_wiring import check_listed, wired_arguments, wired_inputs, wired_outputs
from mlsteps.steps.ports import is_parameter_tuple

if TYPE_CHECKING:
    from airflow.sdk import XComArg

    from mlsteps.compute import ComputeTarget
    from mlsteps.data import Datastore, PipelineParameter
    from mlsteps.environment import RunConfiguration
    from mlsteps.modules import Module, ModuleVersion
    from mlsteps.workspace import Workspace


class ModuleStep(PipelineStep):
    """Runs a Python script that was published as a module, with the code that it had then.

    Which version that is, is found when the step runs, and when a run is planned: a DAG file asks nobody. A
    published pipeline keeps the version that it was published with. What counts for reuse is what the version
    is, not how it is called.

    :param module: A Module, or the name or id of one.
    :param version: Of the module; default: its default version.
    :param module_version: A ModuleVersion or the id of one, instead of a module.
    :param inputs_map: Data that it reads, by the names of the module's inputs.
    :param outputs_map: Data that it makes, by the names of the module's outputs. An output that is left
        out is kept too, as the module says.
    :param compute_target: A compute target or its name in the workspace; default: ``runconfig.target``, else
        the workspace's default.
    :param runconfig: Environment, variables and limits; default: the module version's.
    :param runconfig_pipeline_params: Values of the run configuration that pipeline parameters set.
    :param arguments: The script's arguments, instead of the module's: text, numbers, data of the maps, ports
        of the module, PipelineParameters. Templated.
    :param params: Values of the module's parameters, by name; PipelineParameters as well.
    :param name: Default: the module's.
    :param allow_reuse: Whether an earlier result may stand for this step when nothing changed.
    :param on_reuse: ``skip`` (default) or ``success``: how Airflow shows that it was reused.
    :param reuse_max_age: How old a result may be to stand for it.
    :param reuse_timeout: How long to wait for a run that is computing the same result right now.
    :param workspace: Where it works, and whose module it is; see :class:`~mlsteps.PythonScriptStep`.
    :param default_datastore: For outputs that name none. Default: the workspace's.
    :param upstream_outputs: Set by the step itself: where the data of its inputs comes from.

    :raises StepDefinitionError: an argument is wrong; when it runs, also if there is no such version, it is
        disabled, or its ports are not those of the maps.

    (SDK v1: ``azureml.pipeline.steps.ModuleStep``; Airflow's operator arguments are taken too.)
    """

    step_type: ClassVar[str] = "ModuleStep"

    content: ModuleContent | None
    runconfig: RunConfiguration | None
    _wanted: WantedModule | None
    _wiring: Wiring
    _own_params: tuple[str, ...]
    _own_arguments: bool
    _begun_as: str | None

    def __init__(
        self,
        module: Module | str | None = None,
        version: str | None = None,
        module_version: ModuleVersion | ModuleContent | str | None = None,
        inputs_map: Mapping[str, Any] | None = None,
        outputs_map: Mapping[str, Any] | None = None,
        compute_target: ComputeTarget | str | None = None,
        runconfig: RunConfiguration | None = None,
        runconfig_pipeline_params: Mapping[str, PipelineParameter] | None = None,
        arguments: Sequence[Any] | None = None,
        script_params: Mapping[str, Any] | None = None,
        name: str | None = None,
        _workflow_provider: Any = None,
        *,
        allow_reuse: bool = True,
        on_reuse: str | None = None,
        reuse_max_age: timedelta | float | None = None,
        reuse_timeout: timedelta | float | None = None,
        workspace: Workspace | None = None,
        default_datastore: Datastore | None = None,
        upstream_outputs: Mapping[str, XComArg] | None = None,
        **kwargs: Any,
    ) -> None:
        called = name or "ModuleStep"
        # Of a published pipeline it is known what is run.
        frozen = module_version if isinstance(module_version, ModuleContent) else None
        wanted = None if frozen else WantedModule.of(called, module, version, module_version)
        if name is None:
            name = frozen.name if frozen else wanted.label if wanted is not None else called
        inputs, outputs = wired_inputs(called, inputs_map), wired_outputs(called, outputs_map)
        both = next((port for port in inputs if port in outputs), None)
        if both is not None:
            raise StepDefinitionError(called, "outputs_map", f"{both!r} is in inputs_map, too")
        given_inputs, given_outputs = inputs_map or {}, outputs_map or {}
        parameters = list(kwargs.pop("pipeline_parameters", None) or ())
        parameters += [value[0] for value in given_inputs.values() if is_parameter_tuple(value)]
        kwargs.pop("frozen_code", None)  # the content has it
        self.__dict__.update(runconfig=runconfig, content=frozen)
        self._declare(
            name=name,
            inputs=list(inputs.values()),
            outputs=list(outputs.values()),
            arguments=wired_arguments(arguments, (given_inputs, inputs), (given_outputs, outputs)),
            compute_target=compute_target,
            script_params=script_params,
            runconfig_pipeline_params=runconfig_pipeline_params,
            allow_reuse=allow_reuse,
            on_reuse=on_reuse,
            reuse_max_age=reuse_max_age,
            reuse_timeout=reuse_timeout,
            workspace=workspace,
            default_datastore=default_datastore,
            upstream_outputs=upstream_outputs,
            frozen_code=frozen.code if frozen else None,
            pipeline_parameters=parameters,
            **kwargs,
        )
        check_listed(self.name, self.input_ports, self.output_ports, (inputs, outputs))
        bare = (p.name for p in self.input_ports if is_bare(p, given_inputs[p.name]))
        self.__dict__.update(
            _wanted=wanted,
            _wiring=Wiring(self.name, self.input_ports, self.output_ports, frozenset(bare)),
            _own_params=tuple(self.script_params),
            _own_arguments=arguments is not None,
            _begun_as=None,
        )
        record = getattr(module_version, "record", None)
        known = frozen if record is None else content_of(record)
        if known is not None:  # then what is wrong can be said already
            self._wiring.check(known, self.script_params)

    @classmethod
    def data_given(cls, name: str, given: Mapping[str, Any]) -> tuple[Any, Any]:
        """The inputs and outputs among the arguments of a call."""
        inputs = wired_inputs(name, given.get("inputs_map"))
        return list(inputs.values()), list(wired_outputs(name, given.get("outputs_map")).values())

    def prepare(self, workspace: Workspace) -> None:
        """Become a step that runs the version which is meant now.

        :raises StepDefinitionError: there is none, it is disabled, or its ports are not those of the maps.
        """
        content = self._found(workspace)
        wiring = self._wiring
        own = {key: value for key, value in self.script_params.items() if key in self._own_params}
        wiring.check(content, own)
        outputs = wiring.outputs_of(content, workspace)
        self.__dict__.update(
            content=content,
            frozen_code=content.code,
            input_ports=wiring.inputs_of(content),
            output_ports=outputs,
            script_params=wiring.params_of(content, own),
        )
        if not self._own_arguments:
            self.__dict__["arguments"] = wiring.arguments_of(content, outputs)

    def _found(self, workspace: Workspace) -> ModuleContent:
        if self._wanted is not None:
            return self._wanted.find(self, workspace, self._begun_as)
        assert self.content is not None
        return self.content

    def go_on_as(self, source: Mapping[str, Any]) -> None:
        """Run the version that the first part of this try has found."""
        self._begun_as = source.get("module_version")

    def frozen_arguments(self) -> Mapping[str, Any]:
        """What makes a prepared step again as it is now, with the version that it would run."""
        left = {k: v for k, v in self.declared_arguments.items() if k not in ("module", "version")}
        return {**left, "module_version": self.content}

    @property
    def is_published(self) -> bool:
        """Whether it is of a published pipeline. Its code always is; its arguments may be its DAG file's."""
        return self._wanted is None

    @property
    def source_notes(self) -> Mapping[str, Any]:
        """Module and version, for its record."""
        if self.content is None:
            return {}
        found = self.content
        return {"module": found.name, "version": found.version, "module_version": found.id}

    @property
    def run_configuration(self) -> RunConfiguration | None:
        """The RunConfiguration it runs with: its own, else the module version's, once that is known."""
        if self.runconfig is not None or self.content is None:
            return self.runconfig
        return self.content.run_configuration

    def command(self) -> tuple[str, ...]:
        """``python script.py``, once it has been prepared."""
        assert self.content is not None
        return (PYTHON, self.content.script_name)

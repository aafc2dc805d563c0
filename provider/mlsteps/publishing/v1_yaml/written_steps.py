"""A step as it stands in a YAML file."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mlsteps.compute import ComputeTarget
from mlsteps.data import (
    DatasetConsumptionConfig,
    InputPortBinding,
    OutputPortBinding,
    PipelineData,
    PipelineParameter,
)
from mlsteps.data.pipeline_dataset import PipelineOutputDataset
from mlsteps.environment.databricks import LIBRARY_KINDS
from mlsteps.steps.data_transfer_step import OUTPUT
from mlsteps.steps.ports import is_parameter_tuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlsteps.publishing.v1_yaml.writing import YamlWriter
    from mlsteps.steps import PipelineStep
    from mlsteps.steps.module_content import ModuleContent

# Arguments that stand in the file as they are.
_PLAIN = {
    *("allow_reuse", "hash_paths", "version", "source_reference_type", "destination_reference_type"),
    *("existing_cluster_id", "spark_version", "node_type", "instance_pool_id", "num_workers"),
    *("min_workers", "max_workers", "spark_env_variables", "spark_conf", "init_scripts"),
    *("cluster_log_dbfs_path", "notebook_path", "python_script_path", "main_class_name"),
    *("python_script_name", "run_name", "timeout_seconds", "script_name", "permit_cluster_restart"),
}
_LEFT_OUT = {"name", "frozen_code", "source_directory", "workspace", "default_datastore", "task_id"}


class StepWriter:
    """Writes one step."""

    def __init__(self, pipeline: YamlWriter, step: PipelineStep) -> None:
        self._pipeline = pipeline
        self._step = step
        self._given: dict[str, Any] = {
            name: value for name, value in step.declared_arguments.items() if value is not None
        }
        self._inputs: list[tuple[str, Any]] = []
        self._outputs: list[tuple[str, Any]] = []

    def content(self) -> dict[str, Any]:
        """Its settings.

        :raises PipelineValidationError: something has no place in the format.
        """
        written: dict[str, Any] = {"type": self._step.step_type, "name": self._step.name}
        inputs, outputs = self._given.pop("inputs", ()), self._given.pop("outputs", ())
        mapped = self._given.pop("inputs_map", {}), self._given.pop("outputs_map", {})
        # First, as arguments are written in their words.
        written["inputs"] = self._inputs_of([*inputs, *mapped[0].values()])
        written["outputs"] = self._outputs_of([*((None, value) for value in outputs), *mapped[1].items()])
        for name, value in self._given.items():
            if name in _LEFT_OUT:
                continue
            if name in _PLAIN:
                written[name] = list(value) if isinstance(value, tuple) else value
            elif name in LIBRARY_KINDS:
                written[name] = [{k: v for k, v in asdict(one).items() if v is not None} for one in value]
            else:
                how = getattr(self, f"_write_{name}", None)
                written |= how(value) if how else self._refuse(name, "the format has no place for it")
        if self._step.own_data:
            data: Any = self._step.own_data[0]
            written["outputs"] = {OUTPUT: {"destination": self._pipeline.destination(data)}}
        if "module_version" not in self._given:
            written["source_directory"] = self._pipeline.code(self._step)
        return {key: value for key, value in written.items() if value not in (None, {}, [])}

    def _refuse(self, argument: str, problem: str) -> Any:
        return self._pipeline.refuse(self._step.name, argument, problem)

    # Data

    def _inputs_of(self, inputs: Any) -> dict[str, Any]:
        written = {}
        for value, port in zip(inputs, self._step.input_ports, strict=False):
            self._inputs.append((port.name, value))
            written[port.name] = self._input(value, port)
        return written

    def _input(self, value: Any, port: Any) -> dict[str, Any]:
        source = value
        if isinstance(value, InputPortBinding):
            source = value.bind_object
        elif is_parameter_tuple(value):
            source = value[0]
        elif isinstance(value, DatasetConsumptionConfig) and isinstance(
            value.dataset, (PipelineData, PipelineOutputDataset)
        ):
            source = value.dataset
        if port.mode == "direct":
            self._refuse("inputs", f"{port.name!r} is read as a dataset, and the format has paths only")
        settings: dict[str, Any] = {
            "source": self._pipeline.source(self._step.name, "inputs", source),
            "bind_mode": port.mode,
        }
        if port.path_on_compute:
            settings["path_on_compute"] = port.path_on_compute
        return settings

    def _outputs_of(self, outputs: Sequence[tuple[str | None, Any]]) -> dict[str, Any]:
        written = {}
        for named, value in outputs:
            data = value.data if isinstance(value, (OutputPortBinding, PipelineOutputDataset)) else value
            if not isinstance(data, PipelineData):
                self._refuse("outputs", f"the format has no place for {value!r}")
            if isinstance(value, PipelineOutputDataset) and (value.reader or value.registration):
                self._refuse("outputs", f"the format does not say how {data.name!r} is read or registered")
            port = named or data.output_name
            self._outputs.append((port, value))
            settings = {
                "destination": self._pipeline.destination(data),
                "datastore": data.datastore.declared_name if data.datastore else None,
                "bind_mode": data.output_mode,
                "path_on_compute": data.output_path_on_compute,
                "overwrite": data.output_overwrite,
                "as_dataset": True if isinstance(value, PipelineOutputDataset) else None,
            }
            written[port] = {key: part for key, part in settings.items() if part is not None}
        return written

    # Arguments that stand there in other words

    def _write_module_version(self, value: ModuleContent) -> dict[str, Any]:
        return {"name": value.name, "version": value.version}

    def _write_script_params(self, value: Any) -> dict[str, Any]:
        return {"parameters": {key: _value(part) for key, part in value.items()}}

    def _write_arguments(self, value: Any) -> dict[str, Any]:
        return {"arguments": [self._argument("arguments", part) for part in value]}

    def _write_python_script_params(self, value: Any) -> dict[str, Any]:
        return {"python_script_params": [self._argument("python_script_params", part) for part in value]}

    def _write_jar_params(self, value: Any) -> dict[str, Any]:
        return {"jar_params": [self._argument("jar_params", part) for part in value]}

    def _write_notebook_params(self, value: Any) -> dict[str, Any]:
        return {"notebook_params": {key: _value(part) for key, part in value.items()}}

    def _write_compute_target(self, value: Any) -> dict[str, Any]:
        if isinstance(value, ComputeTarget):
            if not self._step.runs_code:
                return {"compute": value.name}
            self._refuse("compute_target", f"{value.name!r} was made in code: name one of the workspace")
        return {"compute": value[0] if isinstance(value, tuple) else value}

    def _write_runconfig(self, value: Any) -> dict[str, Any]:
        return {"runconfig": self._pipeline.runconfig(self._step.name, value)}

    def _write_runconfig_pipeline_params(self, value: Any) -> dict[str, Any]:
        return {"runconfig_parameters": {key: {"source": part.name} for key, part in value.items()}}

    def _write_source_data_reference(self, value: Any) -> dict[str, Any]:
        return self._end("source_data_reference", value)

    def _write_destination_data_reference(self, value: Any) -> dict[str, Any]:
        return self._end("destination_data_reference", value)

    def _end(self, argument: str, value: Any) -> dict[str, Any]:
        name, source = getattr(value, "name", argument), value
        if isinstance(value, InputPortBinding):
            source = value.bind_object
        elif is_parameter_tuple(value):
            name, source = value[0].name, value[0]
        return {argument: {name: {"source": self._pipeline.source(self._step.name, argument, source)}}}

    def _argument(self, argument: str, value: Any) -> Any:
        if isinstance(value, PipelineParameter):
            return f"parameter:{value.name}"
        for kind, ports in (("input", self._inputs), ("output", self._outputs)):
            for port, declared in ports:
                data = getattr(value, "data", value)
                if value is declared or data is getattr(declared, "data", declared):
                    return f"{kind}:{port}"
        if value is None or isinstance(value, (str, int, float)):
            return value
        return self._refuse(argument, f"the format has no place for {value!r}")


def _value(value: Any) -> Any:
    return {"source": value.name} if isinstance(value, PipelineParameter) else value

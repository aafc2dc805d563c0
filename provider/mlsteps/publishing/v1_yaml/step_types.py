"""How each type of step stands in a YAML file: one function each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mlsteps.data import (
    DataPathComputeBinding,
    DatasetConsumptionConfig,
    InputPortBinding,
    PipelineData,
    PipelineParameter,
)
from mlsteps.environment import RunConfiguration
from mlsteps.environment.databricks import LIBRARY_KINDS
from mlsteps.publishing.v1_yaml.node import Node
from mlsteps.steps import PythonScriptStep
from mlsteps.steps.data_transfer_step import DataTransferStep
from mlsteps.steps.databricks_step import DatabricksStep
from mlsteps.steps.module_step import ModuleStep

if TYPE_CHECKING:
    from mlsteps.publishing.v1_yaml.reading import Names

_OLD_STYLE = {
    "python_script_step": "PythonScriptStep",
    "data_transfer_step": "DataTransferStep",
    "databricks_step": "DatabricksStep",
    "module": "ModuleStep",
    "parallel_run_step": "ParallelRunStep",
    "adla_step": "AdlaStep",
    "azurebatch_step": "AzureBatchStep",
}

_DATABRICKS_PLAIN = (
    *("existing_cluster_id", "spark_version", "node_type", "instance_pool_id", "num_workers"),
    *("min_workers", "max_workers", "spark_env_variables", "spark_conf", "init_scripts"),
    *("cluster_log_dbfs_path", "notebook_path", "python_script_path", "main_class_name"),
    *("python_script_name", "run_name", "timeout_seconds"),
)


class StepNode(Node):
    """The settings of a step, and what it makes, which is found first."""

    outputs: dict[str, Any]


def type_of(node: Node) -> tuple[str, StepNode]:
    """The type of a step, and its settings; in old files both are one key further down.

    :raises PipelineValidationError: there is no such type here.
    """
    kind = node.text("type")
    old = [key for key in _OLD_STYLE if key in node]
    if kind is None and len(old) == 1:
        kind = _OLD_STYLE[old[0]]
        inner = node.take(old[0])
        if isinstance(inner, Mapping):
            node = Node({**node.rest(), **inner}, node.where)
    if kind not in STEPS:
        node.refuse(f"the type {kind!r} is none of {', '.join(STEPS)}")
    step = StepNode(node.rest(), node.where)
    step.outputs = {}
    return str(kind), step


class _Values:
    """What the ports and parameters of one step are called in its arguments."""

    def __init__(self, node: StepNode, names: Names) -> None:
        self.node = node
        self.parameters: dict[str, Any] = {}
        for name, value in (node.take("parameters") or {}).items():
            self.parameters[name] = self.parameter(value, names)
        self.inputs = {port: _input(port, one, names) for port, one in node.nodes("inputs")}
        self.outputs = node.outputs
        self._all = names.parameters

    def parameter(self, value: Any, names: Names) -> Any:
        """A value, or the pipeline parameter that is its ``source``."""
        if not isinstance(value, Mapping):
            return value
        source = Node(value, f"{self.node.where}, parameters")
        name = source.needed("source")
        source.done()
        if name not in names.parameters:
            self.node.refuse(f"there is no pipeline parameter {name!r}")
        return names.parameters[name]

    def argument(self, value: Any) -> Any:
        """An argument: data or a parameter by its name, or a text."""
        kind, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
        known: Mapping[str, Mapping[str, Any]] = {
            "input": self.inputs,
            "output": self.outputs,
            "parameter": {**self._all, **self.parameters},
        }
        if kind not in known:
            return value
        if name not in known[kind]:
            self.node.refuse(f"arguments: there is no {kind} {name!r}")
        return known[kind][name]


def _input(port: str, node: Node, names: Names) -> Any:
    source = names.find(node.take("source"), node)
    mode = node.text("bind_mode", "type") or "mount"
    path, overwrite = node.text("path_on_compute"), node.flag("overwrite")
    node.done()
    if isinstance(source, PipelineParameter):
        return source, DataPathComputeBinding(mode, path, bool(overwrite))
    if isinstance(source, DatasetConsumptionConfig):
        return DatasetConsumptionConfig(port, source.dataset, mode, path)
    return InputPortBinding(port, source, mode, path, overwrite)


def _common(name: str, node: StepNode, names: Names) -> dict[str, Any]:
    return {
        "name": node.text("name") or name,
        "compute_target": node.text("compute") or names.default_compute,
        "allow_reuse": node.flag("allow_reuse", True),
    }


def _code(node: StepNode, names: Names) -> dict[str, Any]:
    version, folder = node.take("version"), node.text("source_directory")
    return {
        "version": None if version is None else str(version),
        "hash_paths": node.listed("hash_paths"),
        "source_directory": names.path(folder) if folder else names.folder,
    }


def _runconfig(node: StepNode, names: Names) -> RunConfiguration | None:
    path = node.text("runconfig")
    return RunConfiguration.load(names.path(path)) if path else None


def _runconfig_parameters(node: StepNode, names: Names) -> dict[str, Any]:
    sets = {}
    for key, part in node.nodes("runconfig_parameters"):
        sets[key] = names.find(part.needed("source"), part)
        part.done()
    return sets


def _python_script_step(name: str, node: StepNode, names: Names) -> Any:
    values = _Values(node, names)
    return PythonScriptStep(
        node.needed("script_name"),
        **_common(name, node, names),
        **_code(node, names),
        arguments=[values.argument(one) for one in node.listed("arguments") or ()],
        inputs=list(values.inputs.values()),
        outputs=list(values.outputs.values()),
        script_params=values.parameters,
        runconfig=_runconfig(node, names),
        runconfig_pipeline_params=_runconfig_parameters(node, names),
    )


def _module_step(name: str, node: StepNode, names: Names) -> Any:
    values = _Values(node, names)
    called, id, version = node.text("name"), node.text("id"), node.take("version")
    if (called is None) == (id is None):
        node.refuse("either 'name' or 'id' says which module it runs")
    arguments = node.listed("arguments")
    common = {**_common(name, node, names), "name": name}  # the other name is the module's
    return ModuleStep(
        called or id,
        None if version is None else str(version),
        **common,
        inputs_map=values.inputs,
        outputs_map=values.outputs,
        arguments=None if arguments is None else [values.argument(one) for one in arguments],
        script_params=values.parameters,
        runconfig=_runconfig(node, names),
        runconfig_pipeline_params=_runconfig_parameters(node, names),
    )


def _data_transfer_step(name: str, node: StepNode, names: Names) -> Any:
    ends = {}
    for end in ("source_data_reference", "destination_data_reference"):
        given = list(node.nodes(end))
        if len(given) != 1:
            node.refuse(f"{end!r} must name one place, found {len(given)}")
        port, part = given[0]
        source = names.find(part.needed("source"), part)
        part.done()
        if isinstance(source, PipelineParameter):
            source = source, DataPathComputeBinding()
        elif end == "source_data_reference" and isinstance(source, PipelineData):
            source = InputPortBinding(port, source)
        ends[end] = source
    return DataTransferStep(
        **_common(name, node, names),
        **ends,
        source_reference_type=node.text("source_reference_type"),
        destination_reference_type=node.text("destination_reference_type"),
    )


def _databricks_step(name: str, node: StepNode, names: Names) -> Any:
    values = _Values(node, names)
    given = {key: node.take(key) for key in _DATABRICKS_PLAIN if key in node}
    for key in ("python_script_params", "jar_params"):
        listed = node.listed(key)
        if listed is not None:
            given[key] = [values.argument(one) for one in listed]
    widgets = node.take("notebook_params")
    if widgets is not None:
        given["notebook_params"] = {
            key: values.parameter(value, names) if isinstance(value, Mapping) else values.argument(value)
            for key, value in dict(widgets).items()
        }
    for key, kind in LIBRARY_KINDS.items():
        listed = node.listed(key)
        if listed is not None:
            given[key] = [kind(**one) for one in listed]
    code = _code(node, names)
    if "python_script_name" not in given:
        code.pop("source_directory")
    return DatabricksStep(
        **_common(name, node, names),
        **code,
        **given,
        inputs=list(values.inputs.values()),
        outputs=list(values.outputs.values()),
        permit_cluster_restart=node.flag("permit_cluster_restart"),
        runconfig=_runconfig(node, names),
    )


STEPS: Mapping[str, Callable[[str, StepNode, Names], Any]] = {
    "PythonScriptStep": _python_script_step,
    "DataTransferStep": _data_transfer_step,
    "DatabricksStep": _databricks_step,
    "ModuleStep": _module_step,
}
"""A type of step -> what makes one of its settings."""

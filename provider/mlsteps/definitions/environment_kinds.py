"""How run configurations, libraries, clusters, compute targets and assets are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as fields_of
from typing import Any

from airflow.sdk import Asset

from mlsteps.compute import ComputeTarget, create_compute_target
from mlsteps.compute.kinds import KINDS as COMPUTE
from mlsteps.definitions.data_kinds import by_attributes
from mlsteps.definitions.kinds import CannotBeWritten, Kind
from mlsteps.definitions.reader import Reader
from mlsteps.definitions.writer import Writer
from mlsteps.environment import Environment, RunConfiguration
from mlsteps.environment.databricks import LIBRARY_KINDS, DatabricksCluster
from mlsteps.environment.section import Section
from mlsteps.exceptions import UserErrorException
from mlsteps.launcher.strict_json import Fields

_SETTINGS = tuple(item.name for item in fields_of(RunConfiguration))


def _of_run_configuration(value: Any, writer: Writer) -> Mapping[str, Any]:
    written: dict[str, Any] = {}
    for name in _SETTINGS:
        setting = getattr(value, name)
        if isinstance(setting, Environment):
            written[name] = writer.freezer.environment(setting)
        elif isinstance(setting, Section):
            written[name] = setting.to_plain()
        else:
            written[name] = writer.write(setting, name)
    return written


def _make_run_configuration(fields: Fields, reader: Reader) -> RunConfiguration:
    made = RunConfiguration()
    for name in _SETTINGS:
        section = getattr(made, name)
        if isinstance(section, Section):
            section.update(fields.items(name))
        else:
            setattr(made, name, reader.read(fields.value(name)))
    return made


def _of_section(value: Any, writer: Writer) -> Mapping[str, Any]:
    return {item.name: writer.write(getattr(value, item.name), item.name) for item in fields_of(value)}


def _section(cls: type) -> Kind:
    names = [item.name for item in fields_of(cls)]

    def make(fields: Fields, reader: Reader) -> Any:
        return cls(**{name: reader.read(fields.value(name)) for name in names})

    return Kind(cls.__name__, lambda value: type(value) is cls, _of_section, make)


def _of_compute_target(value: Any, writer: Writer) -> Mapping[str, Any]:
    if value.workspace is not None:
        writer.write(value.workspace, "workspace")
        return {"name": value.name, "settings": None}
    if COMPUTE.get(value.kind, ("", ""))[1] != type(value).__name__:
        raise CannotBeWritten(
            "",
            f"compute target {value.name!r} is a {type(value).__name__}, whose code would have to run in "
            f"Airflow's own processes",
            "Name a compute target of the workspace.",
        )
    settings = {key: part for key, part in value.describe().items() if key != "name"}
    return {"name": value.name, "settings": writer.write(settings, value.name)}


def _make_compute_target(fields: Fields, reader: Reader) -> ComputeTarget | str:
    name, settings = fields.text("name"), reader.read(fields.value("settings"))
    if settings is None:
        return name  # looked up when the step runs, and not when a DAG file is parsed
    if not isinstance(settings, dict):
        raise UserErrorException(f"Compute target {name!r}: its settings are no dict")
    return create_compute_target(name, settings)


KINDS = (
    Kind(
        "RunConfiguration",
        lambda value: type(value) is RunConfiguration,
        _of_run_configuration,
        _make_run_configuration,
    ),
    *(_section(kind) for kind in LIBRARY_KINDS.values()),
    _section(DatabricksCluster),
    Kind(
        "ComputeTarget",
        lambda value: isinstance(value, ComputeTarget),
        _of_compute_target,
        _make_compute_target,
    ),
    by_attributes(Asset, "name", "uri", "group", "extra"),
)

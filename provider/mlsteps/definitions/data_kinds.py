"""How data, parameters and datasets are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlsteps.data import (
    DataPath,
    DataPathComputeBinding,
    DataReference,
    DatasetConsumptionConfig,
    Datastore,
    InputPortBinding,
    OutputFileDatasetConfig,
    OutputPortBinding,
    PipelineData,
    PipelineParameter,
    PortDataReference,
    SqlDataReference,
)
from mlsteps.data.consumption import is_dataset
from mlsteps.data.datasets.definition import Definition
from mlsteps.data.datasets.plain import from_plain, to_plain
from mlsteps.data.datasets.registry import dataset_of
from mlsteps.data.output_config import Registration
from mlsteps.data.pipeline_dataset import PipelineOutputDataset
from mlsteps.data.sql.parameter import StoredProcedureParameter
from mlsteps.definitions.kinds import CannotBeWritten, Kind
from mlsteps.definitions.reader import Reader
from mlsteps.definitions.writer import Writer
from mlsteps.launcher.strict_json import Fields
from mlsteps.records.datasets import DatasetRecord


def by_attributes(cls: type, *names: str, **other: str) -> Kind:
    """The kind of a class whose constructor's parameters are its attributes.

    :param other: Parameters that are kept under another attribute.
    """
    attributes = {name: name for name in names} | other

    def fields(value: Any, writer: Writer) -> Mapping[str, Any]:
        return {name: writer.write(getattr(value, kept), name) for name, kept in attributes.items()}

    def make(fields: Fields, reader: Reader) -> Any:
        return cls(**{name: reader.read(fields.value(name)) for name in attributes})

    return Kind(cls.__name__, lambda value: type(value) is cls, fields, make)


def _of_datastore(value: Any, writer: Writer) -> Mapping[str, Any]:
    writer.write(value.workspace, "workspace")
    return {"name": value.declared_name}


def _make_datastore(fields: Fields, reader: Reader) -> Datastore:
    return Datastore(reader.workspace, fields.optional_text("name"))


def _of_output_binding(value: Any, writer: Writer) -> Mapping[str, Any]:
    names = ("data", "dataset_registration", "dataset_output")
    return {name: writer.write(getattr(value, name), name) for name in names}


def _make_output_binding(fields: Fields, reader: Reader) -> OutputPortBinding:
    data = reader.read(fields.value("data"))
    made = OutputPortBinding(data.name)
    made.data = data
    made.dataset_registration = reader.read(fields.value("dataset_registration"))
    made.dataset_output = reader.read(fields.value("dataset_output"))
    return made


def _registration(value: Registration | None) -> Any:
    if value is None:
        return None
    return {"name": value.name, "description": value.description, "tags": dict(value.tags)}


def _make_registration(fields: Fields | None) -> Registration | None:
    if fields is None:
        return None
    made = Registration(fields.text("name"), fields.optional_text("description"), fields.mapping("tags"))
    fields.finish()
    return made


def _of_output_config(value: Any, writer: Writer) -> Mapping[str, Any]:
    return {
        "name": value.name,
        "datastore": writer.write(value.datastore, "destination"),
        "path": value.path,
        "source": writer.write(value.source, "source"),
        "partition_format": writer.write(value.partition_format, "partition_format"),
        "mode": value.mode,
        "overwrite": bool(value.overwrite),
        "source_globs": writer.write(value.source_globs, "source_globs"),
        "reader": to_plain(value.reader),
        "registration": _registration(value.registration),
        "origin": None if value.origin is value else writer.write(value.origin, "origin"),
    }


def _make_output_config(fields: Fields, reader: Reader) -> OutputFileDatasetConfig:
    datastore = reader.read(fields.value("datastore"))
    made = OutputFileDatasetConfig(
        fields.text("name"),
        source=reader.read(fields.value("source")),
        partition_format=reader.read(fields.value("partition_format")),
    )
    # Each was checked when it was declared; a datastore alone cannot be given without a path.
    made.datastore, made.path = datastore, fields.text("path")
    made.mode, made.overwrite = fields.text("mode"), fields.flag("overwrite")
    made.source_globs = reader.read(fields.value("source_globs"))
    made.reader = from_plain(fields.value("reader"))
    made.registration = _make_registration(fields.optional_nested("registration"))
    origin = reader.read(fields.value("origin"))
    if origin is not None:
        made.origin, made.makers, made.readers = origin, origin.makers, origin.readers
    return made


def _of_output_dataset(value: Any, writer: Writer) -> Mapping[str, Any]:
    return {
        "data": writer.write(value.data, "data"),
        "reader": to_plain(value.reader),
        "registration": _registration(value.registration),
        "input_name": value.input_name,
        "mode": value.mode,
    }


def _make_output_dataset(fields: Fields, reader: Reader) -> PipelineOutputDataset:
    return PipelineOutputDataset(
        reader.read(fields.value("data")),
        from_plain(fields.value("reader")),
        _make_registration(fields.optional_nested("registration")),
        fields.optional_text("input_name"),
        fields.optional_text("mode"),
    )


def _of_dataset(value: Any, writer: Writer) -> Mapping[str, Any]:
    if value.workspace is not None:
        writer.write(value.workspace, "workspace")
    writer.freezer.keep_dataset(value)
    registered = None
    if value.name is not None:
        registered = {
            "name": value.name,
            "version": value.version,
            "description": value.description,
            "tags": value.tags,
        }
    return {
        "definition": value.definition.to_json(),
        "names_datastores": value.workspace is not None,
        "registered": registered,
    }


def _make_dataset(fields: Fields, reader: Reader) -> Any:
    definition = Definition.from_json(fields.value("definition"))
    workspace = reader.workspace if fields.flag("names_datastores") else None
    registered = fields.optional_nested("registered")
    record = None
    if registered is not None:
        record = DatasetRecord(
            registered.text("name"),
            registered.integer("version"),
            definition.id,
            definition.to_json(),
            "",
            registered.optional_text("description"),
            registered.mapping("tags"),
        )
        registered.finish()
    return dataset_of(definition, workspace, record)


def _of_procedure_parameter(value: Any, writer: Writer) -> Mapping[str, Any]:
    plain = value.value is None or isinstance(value.value, (str, int, float))
    if not plain:
        raise CannotBeWritten(
            "",
            f"the value of the parameter {value.name!r} is a {type(value.value).__name__}",
            "Write it as a text, with the parameter's type beside it.",
        )
    return {
        "name": value.name,
        "value": writer.write(value.value, value.name),
        "type": value.type.value if value.type else None,
    }


def _make_procedure_parameter(fields: Fields, reader: Reader) -> StoredProcedureParameter:
    return StoredProcedureParameter(
        fields.text("name"), reader.read(fields.value("value")), fields.optional_text("type")
    )


def _make_port_reference(fields: Fields, reader: Reader) -> PortDataReference:
    return PortDataReference.deserialize(fields.items("reference"), fields.integer("format"))


KINDS = (
    Kind("Datastore", lambda value: type(value) is Datastore, _of_datastore, _make_datastore),
    by_attributes(
        PipelineData,
        *("name", "datastore", "output_name", "output_mode", "output_path_on_compute", "output_overwrite"),
        *("data_type", "is_directory", "pipeline_output_name", "training_output"),
    ),
    by_attributes(
        DataReference,
        *("datastore", "data_reference_name", "path_on_datastore", "mode", "path_on_compute", "overwrite"),
    ),
    by_attributes(
        SqlDataReference,
        *("datastore", "data_reference_name", "sql_table", "sql_query", "sql_stored_procedure"),
        "sql_stored_procedure_params",
    ),
    Kind(
        "StoredProcedureParameter",
        lambda value: type(value) is StoredProcedureParameter,
        _of_procedure_parameter,
        _make_procedure_parameter,
    ),
    by_attributes(DataPath, "datastore", "name", path_on_datastore="text"),
    by_attributes(DataPathComputeBinding, "mode", "path_on_compute", "overwrite"),
    by_attributes(
        InputPortBinding,
        *("name", "bind_object", "bind_mode", "path_on_compute", "overwrite", "is_resource"),
        "additional_transformations",
    ),
    Kind(
        "OutputPortBinding",
        lambda value: type(value) is OutputPortBinding,
        _of_output_binding,
        _make_output_binding,
    ),
    Kind(
        "OutputFileDatasetConfig",
        lambda value: type(value) is OutputFileDatasetConfig,
        _of_output_config,
        _make_output_config,
    ),
    Kind(
        "PipelineOutputDataset",
        lambda value: type(value) is PipelineOutputDataset,
        _of_output_dataset,
        _make_output_dataset,
    ),
    by_attributes(DatasetConsumptionConfig, "name", "dataset", "mode", "path_on_compute"),
    Kind("Dataset", is_dataset, _of_dataset, _make_dataset),
    by_attributes(
        PipelineParameter,
        "name",
        "default_value",
        "in_fingerprint",
        "title",
        "description",
        "choices",
        "minimum",
        "maximum",
    ),
    Kind(
        "PortDataReference",
        lambda value: type(value) is PortDataReference,
        lambda value, writer: {"format": PortDataReference.__version__, "reference": value.serialize()},
        _make_port_reference,
    ),
)

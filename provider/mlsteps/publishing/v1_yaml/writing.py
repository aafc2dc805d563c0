"""Writing a published pipeline as a YAML file in SDK v1's format, with its code and settings beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.data import (
    DataPath,
    DataReference,
    DatasetConsumptionConfig,
    PipelineData,
    PipelineParameter,
    SqlDataReference,
)
from mlsteps.data.pipeline_dataset import PipelineOutputDataset
from mlsteps.exceptions import PipelineValidationError
from mlsteps.launcher.snapshot_archive import extract
from mlsteps.publishing.v1_yaml.written_steps import StepWriter
from mlsteps.steps.frozen import code_of

if TYPE_CHECKING:
    from mlsteps.pipeline import Pipeline

_TYPES = {bool: "bool", int: "int", float: "float", str: "string"}


def save_yaml(pipeline: Pipeline, name: str, path: str | os.PathLike[str] | None) -> str:
    """Write a file, and a folder beside it; see ``PublishedPipeline.save``.

    :param pipeline: Made from a definition, so that its code is in the workspace.
    :param name: What it is called.
    """
    import yaml

    target = Path(path) if path is not None else Path.cwd()
    file = target / f"{name}.yml" if target.is_dir() else target
    content = YamlWriter(pipeline, name, file.with_name(f"{file.stem}_files")).content()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return str(file)


class YamlWriter:
    """What a file says of one pipeline.

    :param beside: The folder for code and run configurations; made if there is any.
    """

    def __init__(self, pipeline: Pipeline, name: str, beside: Path) -> None:
        self._pipeline = pipeline
        self._name = name
        self._beside = beside
        self._references: dict[str, tuple[Any, dict[str, Any]]] = {}
        self._destinations: dict[int, str] = {}

    def content(self) -> dict[str, Any]:
        """All of it.

        :raises PipelineValidationError: something has no place in the format.
        """
        graph = self._pipeline.graph
        for edge in graph.edges:
            if not edge.data:
                self.refuse(
                    edge.after.name,
                    "run_after",
                    f"it starts after {edge.before.name!r}, and the format has no order but that of data",
                )
        steps: dict[str, Any] = {}
        for step in graph.steps:
            key = step.name if step.name not in steps else f"{step.name} {len(steps)}"
            steps[key] = StepWriter(self, step).content()
        content = {
            "description": self._pipeline.description or self._name,
            "parameters": {name: self._parameter(one) for name, one in self._pipeline.parameters.items()},
            "data_references": {name: settings for name, (_, settings) in self._references.items()},
            "steps": steps,
        }
        return {"pipeline": {key: value for key, value in content.items() if value}}

    def refuse(self, step: str, argument: str, problem: str) -> Any:
        """Raise ``PipelineValidationError``."""
        raise PipelineValidationError(
            f"{self._name!r} cannot be saved as SDK v1's YAML. Step {step!r}, argument "
            f"{argument!r}: {problem}."
        )

    def source(self, step: str, argument: str, data: Any) -> str:
        """The name under which the file knows data."""
        if isinstance(data, PipelineParameter):
            return data.name
        if isinstance(data, PipelineOutputDataset):
            data = data.data
        if isinstance(data, PipelineData):
            return self.destination(data)
        settings = self._reference(data)
        if settings is None:
            return str(self.refuse(step, argument, f"the format has no place for {data!r}"))
        name = data.name
        known = self._references.setdefault(name, (data, settings))
        if known[1] != settings:
            name = f"{name}_{len(self._references)}"
            self._references[name] = (data, settings)
        return str(name)

    def destination(self, data: PipelineData) -> str:
        """The name of data that a step makes; two of one name are told apart."""
        if id(data) not in self._destinations:
            taken = self._destinations.values()
            name = data.name if data.name not in taken else f"{data.name}_{len(self._destinations)}"
            self._destinations[id(data)] = name
        return self._destinations[id(data)]

    @staticmethod
    def _reference(data: Any) -> dict[str, Any] | None:
        if isinstance(data, SqlDataReference):
            given = {name: getattr(data, name) for name in ("sql_table", "sql_query", "sql_stored_procedure")}
            parameters = {
                one.name: {"value": one.value, **({"type": one.type.value} if one.type else {})}
                for one in data.sql_stored_procedure_params or ()
            }
            if parameters:
                given["sql_stored_procedure_params"] = parameters
            return _set({"datastore": data.datastore.declared_name, **given})
        if isinstance(data, DataReference):
            return _set(
                {
                    "datastore": data.datastore.declared_name,
                    "path_on_datastore": data.path_on_datastore or None,
                }
            )
        if isinstance(data, DatasetConsumptionConfig):
            dataset = data.dataset
            if isinstance(dataset, tuple) and len(dataset) == 2:
                return {"dataset_name": dataset[1]}
            if hasattr(dataset, "definition"):
                return {"dataset_id": dataset.id}
        return None

    def _parameter(self, parameter: PipelineParameter) -> dict[str, Any]:
        default = parameter.default_value
        if isinstance(default, DataPath):
            path = {"datastore": default.datastore_name or None, "path_on_datastore": default.text or None}
            return {"type": "datapath", "default": _set({**path, "name": default.name})}
        kind = _TYPES.get(type(default))
        if kind is None:
            raise PipelineValidationError(
                f"{self._name!r} cannot be saved as SDK v1's YAML: the default of parameter "
                f"{parameter.name!r} is a dataset."
            )
        return {"type": kind, "default": default}

    def code(self, step: Any) -> str | None:
        """The folder with a step's code, as the file names it."""
        frozen = step.frozen_code
        if frozen is None or frozen.snapshot is None:
            return None
        folder = self._beside / frozen.snapshot.rpartition(":")[2][:12]
        if not folder.is_dir():
            extract(code_of(step, self._pipeline.workspace).archive(), folder)
        return f"{self._beside.name}/{folder.name}"

    def runconfig(self, name: str, runconfig: Any) -> str:
        """The file with a run configuration, as the file names it."""
        self._beside.mkdir(parents=True, exist_ok=True)
        stem = "".join(c if c.isalnum() else "_" for c in name)
        file = self._beside / f"{stem}_{len(list(self._beside.glob('*.runconfig')))}.runconfig"
        runconfig.save(file)
        return f"{self._beside.name}/{file.name}"


def _set(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}

"""The part of ``Run`` that registers models."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any

from mlsteps.exceptions import ModelPathNotFoundException, UserErrorException
from mlsteps.run._file_methods import FileMethods, _there
from mlsteps.run.files import clean_name
from mlsteps.run.labels import as_tags
from mlsteps.run.model import Model, dataset_label, resource_needs
from mlsteps.run.protocol import EventKind


class ModelMethods(FileMethods):
    """``register_model`` of SDK v1's Run."""

    def register_model(
        self,
        model_name: str,
        model_path: str | os.PathLike[str] | None = None,
        tags: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        model_framework: Any = None,
        model_framework_version: str | None = None,
        description: str | None = None,
        datasets: Any = None,
        sample_input_dataset: Any = None,
        sample_output_dataset: Any = None,
        resource_configuration: Any = None,
        **kwargs: Any,
    ) -> Model:
        """Register run files as the next version of a model; the registry has it once the step ended well.

        Args:
            model_name: the model.
            model_path: a run file or a folder of them, uploaded or below ``./outputs``; default
                ``model_name``.
            tags: labels that may change later.
            properties: labels that may not.
            model_framework: such as ``"ScikitLearn"``.
            model_framework_version: the framework's version.
            description: for the reader.
            datasets: pairs of a scenario (such as ``"training"``) and a dataset.
            sample_input_dataset: a dataset to try the model on.
            sample_output_dataset: what it should answer.
            resource_configuration: what serving it needs: ``cpu``, ``memory_in_gb`` and ``gpu``.
            **kwargs: further arguments of SDK v1 are ignored with a warning.

        Returns:
            The model with the version it is expected to get.

        Raises:
            ModelPathNotFoundException: no run file has that name; the text says which there are.
        """
        if not model_name:
            raise UserErrorException("register_model() needs a model_name.")
        if kwargs:
            warnings.warn(f"register_model() ignores {', '.join(sorted(kwargs))}", stacklevel=2)
        path = self._model_path(model_name if model_path is None else model_path)
        earlier = [event for event in self._log.events() if event["event"] == EventKind.MODEL]
        model = Model(
            name=model_name,
            # an earlier registration through run.parent counts as well: there is one registry
            version=self._identity.models.get(model_name, 0)
            + sum(event["name"] == model_name for event in earlier)
            + 1,
            tags=as_tags(tags or {}),
            properties={str(key): str(value) for key, value in (properties or {}).items()},
            description=description,
            model_framework=_text(model_framework),
            model_framework_version=_text(model_framework_version),
            path=path,
            run_id=self._identity.id,
            experiment_name=self._identity.experiment.name,
        )
        self._record(
            EventKind.MODEL,
            name=model.name,
            path=model.path,
            version=model.version,
            tags=dict(model.tags),
            properties=dict(model.properties),
            description=model.description,
            framework=model.model_framework,
            framework_version=model.model_framework_version,
            datasets=[[_text(scenario), dataset_label(dataset)] for scenario, dataset in datasets or []],
            sample_input_dataset=dataset_label(sample_input_dataset),
            sample_output_dataset=dataset_label(sample_output_dataset),
            resource_configuration=resource_needs(resource_configuration),
        )
        return model

    def _model_path(self, given: str | os.PathLike[str]) -> str:
        path, files = clean_name(given), self._run_files()
        if any(name == path or name.startswith(path + "/") for name in files):
            return path
        hint = ""
        base = self._files.working_directory
        if base is not None and os.path.exists(os.path.join(base, path)):
            hint = " It lies in the working directory: upload it first, or write it below ./outputs."
        raise ModelPathNotFoundException(f"The run has no file or folder {path!r}.{hint} {_there(files)}")


def _text(value: object) -> str | None:
    return None if value is None else str(value)

"""Model: a file or folder that a workspace has registered under a name and a version."""

from __future__ import annotations

import builtins
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mlsteps.data.names import is_text
from mlsteps.exceptions import ModelNotFoundException, UserErrorException
from mlsteps.models.files import delete_sent, fetch, send
from mlsteps.models.finding import ModelFilter, wanted_labels
from mlsteps.models.view import ModelView
from mlsteps.records import ModelRecord, register_model
from mlsteps.records.models import Labels, change_labels
from mlsteps.run.journal import utc_now
from mlsteps.run.labels import as_tags
from mlsteps.run.model import dataset_label, resource_needs
from mlsteps.tracking import forward_labels, forward_model

if TYPE_CHECKING:
    from mlsteps.workspace import Workspace

_LOG = logging.getLogger(__name__)
_DOWNLOADS = "azureml-models"


class _Framework:
    """Names of frameworks. (SDK v1: ``Model.Framework``.)"""

    CUSTOM = "Custom"
    TENSORFLOW = "TensorFlow"
    SCIKITLEARN = "ScikitLearn"
    ONNX = "Onnx"
    MULTI = "Multi"


class Model(ModelView):
    """A registered model; the newest one that fits what is asked for.

    Scripts register what they have made with ``Run.register_model``, anybody else files of this machine with
    :meth:`register`. Reading one needs the workspace, so it is for tasks, notebooks and command lines.

    :param workspace: Where it is registered.
    :param name: Its name.
    :param id: ``name:version``, instead of name and version.
    :param version: Default: the newest.
    :param tags: It has to have these, given as ``["key", ["key", "value"]]`` or by key.
    :param properties: As ``tags``.
    :param run_id: The step run that registered it, or that run's pipeline run.
    :param model_framework: Such as ``"ScikitLearn"``.

    :raises ModelNotFoundException: none is registered that fits.

    (SDK v1: ``azureml.core.Model``; serving models is not offered here.)
    """

    Framework = _Framework

    def __init__(
        self,
        workspace: Workspace,
        name: str | None = None,
        id: str | None = None,
        tags: Any = None,
        properties: Any = None,
        version: int | str | None = None,
        run_id: str | None = None,
        model_framework: str | None = None,
        expand: bool = True,
        **kwargs: Any,
    ) -> None:
        if id is not None:
            name, _, version = id.rpartition(":")
        if not name:
            raise UserErrorException(f"Model: give a name, or an id such as 'forecast:3', got {id!r}.")
        wanted = ModelFilter(
            name,
            _version(version),
            wanted_labels("tags", tags),
            wanted_labels("properties", properties),
            run_id,
            model_framework,
        )
        record = next(wanted.found(workspace.record_store(), latest=True), None)
        if record is None:
            there = sorted(model.name for model in ModelFilter().found(workspace.record_store(), latest=True))
            raise ModelNotFoundException(
                f"ModelNotFound: workspace {workspace.name!r} has no model {name!r}"
                f"{'' if version is None else f' of version {version}'} that fits; "
                f"it has {', '.join(there) or 'none'}."
            )
        self._take(workspace, record)

    @classmethod
    def _of(cls, workspace: Workspace, record: ModelRecord) -> Model:
        model = cls.__new__(cls)
        model._take(workspace, record)
        return model

    # Finding and registering

    @staticmethod
    def list(
        workspace: Workspace,
        name: str | None = None,
        tags: Any = None,
        properties: Any = None,
        run_id: str | None = None,
        latest: bool = False,
        dataset_id: str | None = None,
        expand: bool = True,
        page_count: int = 255,
        model_framework: str | None = None,
    ) -> builtins.list[Model]:
        """The models that fit; of each name the newest first.

        :param latest: Only the newest of each name that fits.
        :param dataset_id: The name or id of a dataset that they were made with.
        """
        wanted = ModelFilter(
            name,
            None,
            wanted_labels("tags", tags),
            wanted_labels("properties", properties),
            run_id,
            model_framework,
            dataset_id,
        )
        return [Model._of(workspace, record) for record in wanted.found(workspace.record_store(), latest)]

    @staticmethod
    def register(
        workspace: Workspace,
        model_path: str | os.PathLike[str],
        model_name: str,
        tags: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        description: str | None = None,
        datasets: Sequence[tuple[str, Any]] | None = None,
        model_framework: Any = None,
        model_framework_version: str | None = None,
        child_paths: Sequence[str] | None = None,
        sample_input_dataset: Any = None,
        sample_output_dataset: Any = None,
        resource_configuration: Any = None,
    ) -> Model:
        """Register a file or folder of this machine as the next version of a model.

        :param model_path: The file or folder; its files are kept by the workspace.
        :param datasets: Pairs of a scenario, such as ``"training"``, and a dataset or its name.
        :param child_paths: Only these files and folders below ``model_path``.
        :raises UserErrorException: there is no such file, or no name.
        """
        if not is_text(model_name) or not model_name.strip():
            raise UserErrorException(f"Model.register: a model needs a name, got {model_name!r}.")
        source, store = Path(model_path), workspace.record_store()
        path = send(source, store, child_paths)
        record = register_model(
            store,
            name=model_name,
            path=path,
            created=utc_now(),
            run_id="",
            dag_id="",
            dag_run_id="",
            description=description,
            framework=None if model_framework is None else str(model_framework),
            framework_version=None if model_framework_version is None else str(model_framework_version),
            tags=as_tags(tags or {}),
            properties={str(key): str(value) for key, value in (properties or {}).items()},
            datasets=tuple(
                (str(scenario), dataset_label(dataset) or "") for scenario, dataset in datasets or ()
            ),
            sample_input_dataset=dataset_label(sample_input_dataset),
            sample_output_dataset=dataset_label(sample_output_dataset),
            resource_configuration=resource_needs(resource_configuration),
        )
        forward_model(workspace, record, _LOG)
        return Model._of(workspace, record)

    # Its files

    def download(
        self, target_dir: str | os.PathLike[str] = ".", exist_ok: bool = False, exists_ok: bool | None = None
    ) -> str:
        """Copy it into a folder.

        :param exist_ok: Replace what is there; otherwise that is an error. ``exists_ok`` is the same.
        :returns: The path of its file or folder.
        :raises UserErrorException: it is there already.
        """
        ok = exist_ok if exists_ok is None else exists_ok
        return str(fetch(self.workspace.record_store(), self._record.path, Path(target_dir), ok, repr(self)))

    @staticmethod
    def get_model_path(
        model_name: str, version: int | str | None = None, _workspace: Workspace | None = None
    ) -> str:
        """The path of a model on this machine: it is copied to ``azureml-models/<name>/<version>`` once.

        :param _workspace: Default: the default workspace.
        :raises ModelNotFoundException: none is registered that fits.
        """
        # By name: the workspace is above.
        opened: Callable[[], Workspace] = import_module("mlsteps.workspace").Workspace
        model = Model(_workspace or opened(), model_name, version=version)
        folder = Path(_DOWNLOADS) / model.name / str(model.version)
        there = folder / Path(model._record.path).name
        return str(there) if there.exists() else model.download(folder)

    # Labels

    def add_tags(self, tags: Mapping[str, Any]) -> None:
        """Add tags; those of the same key are replaced."""
        self._change(lambda labels: replace(labels, tags={**labels.tags, **as_tags(tags)}))

    def remove_tags(self, tags: Sequence[str]) -> None:
        """Remove the tags of these keys."""
        self._change(
            lambda labels: replace(labels, tags={k: v for k, v in labels.tags.items() if k not in tags})
        )

    def add_properties(self, properties: Mapping[str, Any]) -> None:
        """Add properties.

        :raises UserErrorException: one is there with another value; properties do not change.
        """

        def change(labels: Labels) -> Labels:
            known = {str(key): str(value) for key, value in properties.items()}
            for key, value in known.items():
                if labels.properties.get(key, value) != value:
                    raise UserErrorException(f"{self!r}: property {key!r} is there, and does not change.")
            return replace(labels, properties={**labels.properties, **known})

        self._change(change)

    def update_tags_properties(
        self,
        add_tags: Mapping[str, Any] | None = None,
        remove_tags: Sequence[str] | None = None,
        add_properties: Mapping[str, Any] | None = None,
    ) -> None:
        """Several of these at once."""
        self.add_properties(add_properties or {})
        self.remove_tags(remove_tags or ())
        self.add_tags(add_tags or {})

    def update(
        self,
        tags: Mapping[str, Any] | None = None,
        description: str | None = None,
        sample_input_dataset: Any = None,
        sample_output_dataset: Any = None,
        resource_configuration: Any = None,
    ) -> None:
        """Replace its tags or description; None leaves them as they are.

        :raises UserErrorException: something else shall change, which is part of what was registered.
        """
        if any(
            one is not None for one in (sample_input_dataset, sample_output_dataset, resource_configuration)
        ):
            raise UserErrorException(f"{self!r}: only tags and description change. Register it anew.")
        given = {"tags": None if tags is None else as_tags(tags), "description": description}
        changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        self._change(lambda labels: replace(labels, **changes))

    def delete(self) -> None:
        """Take it from the registry; its number is not given again.

        Its files go too, but those of a run, which go with that; see ``mlsteps gc``.
        """
        self._change(lambda labels: replace(labels, deleted=True))
        delete_sent(self.workspace.record_store(), self._record.path)

    def _change(self, change: Callable[[Labels], Labels]) -> None:
        before = self._record
        labels = change_labels(self.workspace.record_store(), self.name, self.version, change)
        self._record = replace(
            self._record, tags=labels.tags, properties=labels.properties, description=labels.description
        )
        if self._record != before or labels.deleted:
            forward_labels(self.workspace, self.id, _LOG)

    # Not offered

    @staticmethod
    def deploy(*args: Any, **kwargs: Any) -> NoReturn:
        """SDK v1's serving, which there is not."""
        raise UserErrorException(
            "Model.deploy: mlsteps serves no models. Download it where it shall be served."
        )

    package = profile = print_configuration = deploy


def _version(given: int | str | None) -> int | None:
    if given is None:
        return None
    try:
        return int(given)
    except (TypeError, ValueError):
        raise UserErrorException(f"Model: a version is a whole number, got {given!r}.") from None

"""What a workspace is configured to: read from workspace.yaml, from a connection's fields, or built in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlsteps.datastore_config import DatastoreConfig, folder_datastore, parse_datastore
from mlsteps.exceptions import WorkspaceException
from mlsteps.mlflow_config import MlflowConfig, parse_mlflow

# Names that every SDK v1 workspace has, so that existing pipelines find them.
DEFAULT_DATASTORE = "workspaceblobstore"
_BUILT_IN_DATASTORES = (DEFAULT_DATASTORE, "workspacefilestore")
DEFAULT_COMPUTE = "local"

DEFAULT_AML_COMPUTE = {"type": "local"}

_KEYS = {
    "name",
    "folder",
    "datastores",
    "default_datastore",
    "compute_targets",
    "default_compute_target",
    "aml_compute",
    "vm_sizes",
    "airflow",
    "mlflow",
}


@dataclass(frozen=True)
class WorkspaceConfig:
    """A workspace's names and what they stand for.

    :param name: For people.
    :param source: Where this was read from, for error messages.
    :param folder: Root of what the workspace itself keeps on this machine or a shared disk.
    :param datastores: Name to what it is.
    :param default_datastore: One of ``datastores``; it also holds the records.
    :param compute_targets: Name to its settings; ``type`` says which kind it is.
    :param default_compute_target: One of ``compute_targets``.
    :param aml_compute: Settings of what runs the jobs of an AmlCompute that does not say so itself.
    :param vm_sizes: Sizes of machines that are known here besides Azure's.
    :param airflow: The connection to an Airflow that runs what is submitted; None is this process.
    :param mlflow: The MLflow that runs and models are forwarded to.
    """

    name: str
    source: str
    folder: Path
    datastores: Mapping[str, DatastoreConfig]
    default_datastore: str
    compute_targets: Mapping[str, Mapping[str, Any]]
    default_compute_target: str
    aml_compute: Mapping[str, Any] = field(default_factory=lambda: DEFAULT_AML_COMPUTE)
    vm_sizes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    airflow: str | None = None
    mlflow: MlflowConfig = field(default_factory=MlflowConfig)


def read_workspace_file(path: Path) -> WorkspaceConfig:
    """The workspace of a ``workspace.yaml``, or of a folder with or without one.

    :raises WorkspaceException: the file cannot be read or holds something it should not.
    """
    file = path / "workspace.yaml" if not path.is_file() else path
    if not file.is_file():
        if path.suffix in (".yaml", ".yml"):
            raise WorkspaceException(f"{path}: there is no such file.")
        return make_config({"folder": str(path)}, source=str(path), base=path, default_name=path.name)
    import yaml

    try:
        settings = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise WorkspaceException(f"{file}: cannot be read: {error}") from error
    return make_config(
        {} if settings is None else settings,
        source=str(file),
        base=file.parent,
        default_name=file.parent.name,
    )


def read_v1_config(file: Path) -> tuple[str, str, str]:
    """Subscription, resource group and workspace name from SDK v1's ``config.json``.

    :raises WorkspaceException: the file cannot be read or lacks one of them.
    """
    try:
        settings = json.loads(file.read_text("utf-8-sig"))
        return settings["subscription_id"], settings["resource_group"], settings["workspace_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkspaceException(
            f"{file}: is not a config.json of SDK v1 with subscription_id, resource_group and workspace_name "
            f"({type(error).__name__}: {error}). What mlsteps reads itself is a workspace.yaml."
        ) from error


def make_config(settings: object, *, source: str, base: Path, default_name: str) -> WorkspaceConfig:
    """A configuration from loose settings; relative folders are taken from ``base``.

    :raises WorkspaceException: naming the source and the key that is wrong.
    """
    if not isinstance(settings, dict):
        raise WorkspaceException(f"{source}: expected settings by name, got {type(settings).__name__}.")
    unknown = sorted(set(settings) - _KEYS, key=str)
    if unknown:
        raise WorkspaceException(
            f"{source}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}."
        )

    folder = base / Path(_text(settings, "folder", source) or "mlsteps").expanduser()
    datastores = {name: folder_datastore(folder / name) for name in _BUILT_IN_DATASTORES}
    for name, store in _mapping(settings, "datastores", source).items():
        datastores[name] = parse_datastore(name, store, source, base)
    computes: dict[str, Mapping[str, Any]] = {DEFAULT_COMPUTE: {"type": "local"}}
    for name, target in _mapping(settings, "compute_targets", source).items():
        if not isinstance(target, dict) or "type" not in target:
            raise WorkspaceException(f"{source}: compute target {name!r} needs a 'type', for example local.")
        computes[name] = target
    default = _choice(settings, "default_datastore", DEFAULT_DATASTORE, datastores, source)
    if datastores[default].is_sql:
        raise WorkspaceException(f"{source}: default_datastore {default!r} holds tables; records are files.")
    return WorkspaceConfig(
        name=_text(settings, "name", source) or default_name,
        source=source,
        folder=folder,
        datastores=datastores,
        default_datastore=default,
        compute_targets=computes,
        default_compute_target=_choice(settings, "default_compute_target", DEFAULT_COMPUTE, computes, source),
        aml_compute=_aml_compute(settings, source),
        vm_sizes=_vm_sizes(settings, source),
        airflow=_airflow(settings, source),
        mlflow=parse_mlflow(_mapping(settings, "mlflow", source), source),
    )


def _aml_compute(settings: Mapping[str, Any], source: str) -> Mapping[str, Any]:
    value = _mapping(settings, "aml_compute", source) or DEFAULT_AML_COMPUTE
    if "type" not in value:
        raise WorkspaceException(f"{source}: 'aml_compute' needs a 'type', for example local.")
    return value


def _airflow(settings: Mapping[str, Any], source: str) -> str | None:
    value = _mapping(settings, "airflow", source)
    if not value:
        return None
    if set(value) != {"conn_id"} or not isinstance(value["conn_id"], str) or not value["conn_id"]:
        raise WorkspaceException(f"{source}: 'airflow' names a connection, such as {{conn_id: my_airflow}}.")
    return str(value["conn_id"])


def _vm_sizes(settings: Mapping[str, Any], source: str) -> Mapping[str, Mapping[str, Any]]:
    sizes = _mapping(settings, "vm_sizes", source)
    for name, has in sizes.items():
        if not isinstance(has, dict):
            raise WorkspaceException(
                f"{source}: vm_sizes {name!r} must say what the machine has, such as {{cpu: 4, memory: 16g}}."
            )
    return sizes


def _text(settings: Mapping[str, Any], key: str, source: str) -> str | None:
    value = settings.get(key)
    if value is not None and not isinstance(value, str):
        raise WorkspaceException(f"{source}: {key!r} must be a text, got {value!r}.")
    return value


def _mapping(settings: Mapping[str, Any], key: str, source: str) -> Mapping[str, Any]:
    value = settings.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WorkspaceException(f"{source}: {key!r} must be settings by name, got {value!r}.")
    for name in value:
        if not isinstance(name, str) or not name:
            raise WorkspaceException(f"{source}: {key!r} holds the name {name!r}; a name must be a text.")
    return value


def _choice(
    settings: Mapping[str, Any], key: str, default: str, known: Mapping[str, Any], source: str
) -> str:
    value = _text(settings, key, source) or default
    if value not in known:
        raise WorkspaceException(f"{source}: {key} {value!r} is not one of {', '.join(sorted(known))}.")
    return value

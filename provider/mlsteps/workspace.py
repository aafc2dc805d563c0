"""Workspace: which datastores, compute targets and defaults a pipeline's names mean; lazy, for DAG files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mlsteps.data.datastore import Datastore
from mlsteps.datastore_config import BY_CONNECTION, FOLDER, DatastoreConfig, parse_datastore
from mlsteps.exceptions import ComputeTargetException, WorkspaceException
from mlsteps.workspace_config import WorkspaceConfig, read_v1_config, read_workspace_file

if TYPE_CHECKING:
    from mlsteps.compute import ComputeConfiguration, ComputeTarget
    from mlsteps.data.sql import SqlStore
    from mlsteps.data.stores import Store
    from mlsteps.environment import Environment
    from mlsteps.hooks.airflow import RunningAirflow
    from mlsteps.models import Model
    from mlsteps.runs import Experiment, PipelineRun

# Environment variable that names a workspace folder or workspace.yaml; beats every other default.
WORKSPACE_VARIABLE = "MLSTEPS_WORKSPACE"
WORKSPACE_FILE = "workspace.yaml"
DEFAULT_LOCATOR = "default"

# Locators that need Airflow are read by the hook, which is imported only when one is opened.
_AIRFLOW_READER = "mlsteps.hooks.workspace"
_RUNNING_AIRFLOW = "mlsteps.hooks.airflow"
_CONNECTIONS = "mlsteps.hooks.datastores"

T = TypeVar("T")


class Workspace:
    """Names of datastores and compute targets, and where records live.

    Nothing is read until something is asked of it, so it may stand at the top of a DAG file.

    - ``Workspace()`` is the default one: ``$MLSTEPS_WORKSPACE`` when set; else the Airflow connection that
      ``[mlsteps] conn_id`` names when there is one; else a folder below ``$AIRFLOW_HOME`` that needs no
      configuration.
    - ``Workspace.from_config(Path(__file__).parent)`` is the ``workspace.yaml`` beside a DAG file.
    - ``Workspace(conn_id="my_ws")`` is an Airflow connection of type ``mlsteps``.
    - ``Workspace(folder="/data/ws")`` is a folder, or the folder of a ``workspace.yaml``.

    The SDK v1 arguments are accepted: ``workspace_name`` is a label; subscription and resource group mean
    nothing here, because no Azure ML workspace is needed. (SDK v1: ``azureml.core.Workspace``.)
    """

    def __init__(
        self,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        workspace_name: str | None = None,
        auth: Any = None,
        _location: str | None = None,
        _disable_service_check: bool = False,
        _workspace_id: str | None = None,
        sku: str = "basic",
        tags: Mapping[str, str] | None = None,
        _cloud: str = "AzureCloud",
        *,
        conn_id: str | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        if conn_id and folder:
            raise WorkspaceException("Workspace: give conn_id or folder, not both.")
        self.subscription_id = subscription_id
        self.resource_group = resource_group
        self.tags = dict(tags or {})
        self._label = workspace_name
        self._default: str | None = None
        if conn_id:
            self.locator = f"airflow:{conn_id}"
        elif folder:
            self.locator = f"folder:{Path(folder).expanduser().absolute()}"
        else:
            self.locator = DEFAULT_LOCATOR

    def __repr__(self) -> str:
        return f"Workspace({self.locator!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Workspace) and self.locator == other.locator

    def __hash__(self) -> int:
        return hash(self.locator)

    @classmethod
    def from_config(
        cls,
        path: str | os.PathLike[str] | None = None,
        auth: Any = None,
        _logger: Any = None,
        _file_name: str | None = None,
    ) -> Workspace:
        """The workspace described by a ``workspace.yaml``.

        :param path: The file, or a folder to start from. Default: the working directory; the folders above
            are searched too. Without any file this is the default workspace, and so it is with SDK v1's
            ``config.json``, whose ``workspace_name`` becomes its label.
        :raises WorkspaceException: ``path`` does not exist, or is a ``.json`` file that is not SDK v1's.
        """
        start = Path(path or os.getcwd()).expanduser().absolute()
        if not start.exists():
            raise WorkspaceException(f"Workspace.from_config: {str(path)!r} does not exist.")
        if start.is_file():
            return cls(*read_v1_config(start), auth) if start.suffix == ".json" else cls(folder=start)
        for folder in (start, *start.parents):
            file = folder / (_file_name or WORKSPACE_FILE)
            if file.is_file():
                return cls.from_config(file, auth) if _file_name else cls(folder=folder)
        return cls()

    @classmethod
    def get(
        cls,
        name: str,
        auth: Any = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        location: str | None = None,
        cloud: str = "AzureCloud",
        id: str | None = None,
    ) -> Workspace:
        """The default workspace under SDK v1's name for it; see the class for what the default is."""
        return cls(subscription_id, resource_group, name, auth)

    @classmethod
    def from_locator(cls, locator: str) -> Workspace:
        """The workspace that :attr:`locator` named when it was written into a reference or record."""
        workspace = cls()
        workspace.locator = locator
        return workspace

    # What it knows

    @cached_property
    def config(self) -> WorkspaceConfig:
        """Everything this workspace knows, read now and then kept.

        :raises WorkspaceException: the connection or file is missing or malformed.
        """
        kind, _, value = self.locator.partition(":")
        if kind == "folder":
            return read_workspace_file(Path(value))
        if self.known_without_lookup():
            return read_workspace_file(_named_by_environment())
        read: Callable[[str | None], WorkspaceConfig] = import_module(_AIRFLOW_READER).read_config
        return read(value or None)

    def known_without_lookup(self) -> bool:
        """Whether :attr:`config` is read without Airflow, so that a DAG file may check names against it."""
        return self.locator.startswith("folder:") or (
            self.locator == DEFAULT_LOCATOR and bool(os.environ.get(WORKSPACE_VARIABLE))
        )

    def portable_locator(self) -> str | None:
        """A locator that a script on this machine can open without Airflow, or None if there is none."""
        if self.locator.startswith("folder:"):
            return self.locator
        if self.known_without_lookup():
            return f"folder:{_named_by_environment()}"
        connection = self.config.source.startswith("Airflow connection")
        return None if connection else f"folder:{self.config.folder}"

    @property
    def name(self) -> str:
        """The workspace's name."""
        return self._label or self.config.name

    @property
    def location(self) -> str:
        """Where its records lie, for people."""
        return self.record_store().url("")

    # Datastores

    def default_datastore_name(self) -> str:
        """The name of the default datastore: that which was set last, else the configuration's.

        Records stay on the configuration's, whatever is set.
        """
        from mlsteps.records.datastores import default_datastore

        if self._default is None:
            self._default = default_datastore(self.record_store()) or self.config.default_datastore
        return self._default

    def set_default_datastore(self, name: str) -> None:
        """Make a datastore the one of data for which none is named, for all who use the workspace.

        :raises WorkspaceException: there is none of this name.
        """
        from mlsteps.records.datastores import set_default_datastore

        self.datastore_config(name)
        set_default_datastore(self.record_store(), name)
        self._default = name

    def get_default_datastore(self) -> Datastore:
        """The default datastore, as a handle; nothing is looked up yet."""
        return Datastore(self)

    @property
    def datastores(self) -> Mapping[str, Datastore]:
        """Every datastore by name: configured ones and registered ones."""
        names = self._datastore_names
        return _Names(names, lambda name: Datastore(self, name) if name in names() else None, "datastore")

    def datastore_config(self, name: str) -> DatastoreConfig:
        """What a datastore's name stands for: as configured, else as registered.

        :raises WorkspaceException: no datastore has this name; the text lists those there are.
        """
        from mlsteps.records.datastores import registered_datastore

        configured = self.config.datastores.get(name)
        if configured is not None:
            return _described(configured)
        registered = registered_datastore(self.record_store(), name)
        if registered is None:
            raise WorkspaceException(
                f"Workspace {self.name!r} ({self.config.source}) has no datastore {name!r}; "
                f"it has {', '.join(sorted(self._datastore_names()))}."
            )
        return _described(parse_datastore(name, registered, "registered datastores", self.config.folder))

    def register_datastore(
        self, name: str, settings: Mapping[str, Any], secrets: Mapping[str, str], *, overwrite: bool = False
    ) -> Datastore:
        """Give a datastore a name that all who use the workspace find; see ``Datastore.register_...``.

        :param settings: As ``workspace.yaml`` has them; without ``conn_id``, the connection has the
            datastore's name.
        :param secrets: What SDK v1 would have kept. It is kept nowhere here: the connection has to have it.
        :raises UserErrorException: a secret was given, and the connection that should hold it is missing.
        :raises WorkspaceException: the name or a setting is unusable, or stands for something else already.
        """
        from mlsteps.records.datastores import register_datastore

        given = {"conn_id": name, **{key: value for key, value in settings.items() if value is not None}}
        config = parse_datastore(name, given, "Datastore.register", self.config.folder)
        if name in self.config.datastores:
            raise WorkspaceException(
                f"Datastore {name!r} is configured in {self.config.source}; change it there."
            )
        if secrets:
            check: Callable[..., None] = import_module(_CONNECTIONS).refuse_secrets
            check(name, config, secrets)
        if not register_datastore(self.record_store(), name, config.to_json(), overwrite=overwrite):
            raise WorkspaceException(
                f"Datastore {name!r} is registered already, as something else. "
                f"Give overwrite=True to replace it."
            )
        return Datastore(self, name)

    def unregister_datastore(self, name: str) -> None:
        """Forget a registered datastore; what it holds stays.

        :raises WorkspaceException: it is not registered, but configured.
        """
        from mlsteps.records.datastores import unregister_datastore

        if name in self.config.datastores:
            raise WorkspaceException(
                f"Datastore {name!r} is configured in {self.config.source}; remove it there."
            )
        unregister_datastore(self.record_store(), name)

    def _datastore_names(self) -> Mapping[str, None]:
        from mlsteps.records.datastores import registered_datastores

        registered = registered_datastores(self.record_store())
        return dict.fromkeys([*self.config.datastores, *registered])

    def open_store(self, name: str) -> Store:
        """The storage behind a datastore's name.

        :raises WorkspaceException: no datastore has this name, or it needs an Airflow connection that is
            missing; the text says which.
        """
        return _opened(self.datastore_config(name))

    def open_sql(self, name: str) -> SqlStore:
        """The database behind a datastore's name.

        :raises WorkspaceException: as :meth:`open_store`; or the datastore holds files.
        """
        opened: Callable[[DatastoreConfig], SqlStore] = import_module(_CONNECTIONS).open_sql
        return opened(self.datastore_config(name))

    def record_store(self) -> Store:
        """The storage that holds records, snapshots and the reuse store: the default datastore's."""
        return _opened(_described(self.config.datastores[self.config.default_datastore]))

    # Compute targets

    @property
    def compute_targets(self) -> Mapping[str, ComputeTarget]:
        """Every compute target by name: configured ones and registered ones."""
        return _Names(self._compute_target_names, self.find_compute_target, "compute target")

    def compute_target_settings(self, name: str) -> Mapping[str, Any] | None:
        """What a compute target's name stands for, as configured, else as registered; None if for nothing."""
        from mlsteps.records.compute_targets import REGISTERED

        configured = self.config.compute_targets.get(name)
        return configured if configured is not None else REGISTERED.find(self.record_store(), name)

    def find_compute_target(self, name: str) -> ComputeTarget | None:
        """The compute target of this name, configured or registered; None if there is none.

        :raises ComputeTargetException: a setting of it is unusable.
        """
        settings = self.compute_target_settings(name)
        return None if settings is None else self._with(name, settings)

    def usable_compute_targets(self) -> Iterator[ComputeTarget]:
        """Every compute target whose settings mean something."""
        for name in self._compute_target_names():
            with suppress(ComputeTargetException):
                if (found := self.find_compute_target(name)) is not None:
                    yield found

    def register_compute_target(
        self, name: str, configuration: ComputeConfiguration, *, overwrite: bool = False
    ) -> ComputeTarget:
        """Give a compute target a name that all who use the workspace find; see ``ComputeTarget.create``.

        :raises ComputeTargetException: a setting is unusable, or the name stands for something else already.
        """
        from mlsteps.compute.configuration import refuse_secrets
        from mlsteps.records.compute_targets import REGISTERED

        settings = getattr(configuration, "settings", None)
        if not name or not isinstance(settings, Mapping):
            raise ComputeTargetException(
                f"Compute target {name!r}: expected a name and what provisioning_configuration() or "
                f"attach_configuration() of a kind of compute made, got {type(configuration).__name__}."
            )
        if name in self.config.compute_targets:
            if overwrite:
                raise self._configured(name)
            return self._with(name, self.config.compute_targets[name])
        refuse_secrets(settings, f"Compute target {name!r}")
        made = self._with(name, settings)
        if not REGISTERED.register(self.record_store(), name, settings, overwrite=overwrite):
            raise ComputeTargetException(
                f"Compute target {name!r} exists already, with other settings. "
                f"Delete it first, or change an AmlCompute by its update()."
            )
        return made

    def unregister_compute_target(self, name: str) -> None:
        """Forget a registered compute target.

        :raises ComputeTargetException: it is not registered, but configured.
        """
        from mlsteps.records.compute_targets import REGISTERED

        if name in self.config.compute_targets:
            raise self._configured(name)
        REGISTERED.forget(self.record_store(), name)

    def pool_name(self, compute_target: str) -> str:
        """The name of the Airflow pool whose slots are the jobs that run on a compute target at a time.

        Made without a lookup, for DAG files.
        """
        from mlsteps.compute.pools import pool_name

        kind, _, value = self.locator.partition(":")
        if kind == "airflow":
            return pool_name(value, compute_target)
        known = kind == "folder" or self.known_without_lookup()
        return pool_name(self.config.name if known else DEFAULT_LOCATOR, compute_target)

    def registry_known_without_lookup(self) -> bool:
        """Whether what is registered is on this machine, so that a DAG file may read it."""
        if not self.known_without_lookup():
            return False
        return self.config.datastores[self.config.default_datastore].kind == FOLDER

    def _compute_target_names(self) -> Mapping[str, None]:
        from mlsteps.records.compute_targets import REGISTERED

        return dict.fromkeys([*self.config.compute_targets, *REGISTERED.names(self.record_store())])

    def _with(self, name: str, settings: Mapping[str, Any]) -> ComputeTarget:
        from mlsteps.compute import create_compute_target

        config = self.config
        made = create_compute_target(name, settings, aml_compute=config.aml_compute, vm_sizes=config.vm_sizes)
        made.workspace = self
        return made

    def _configured(self, name: str) -> ComputeTargetException:
        return ComputeTargetException(
            f"Compute target {name!r} is configured in {self.config.source}; change or remove it there."
        )

    def get_default_compute_target(self, type: str = "CPU") -> ComputeTarget:
        """The compute target of steps that name none."""
        return self.compute_targets[self.config.default_compute_target]

    # Environments

    @property
    def environments(self) -> Mapping[str, Environment]:
        """Every environment by name: registered ones, and stand-ins for Azure ML's curated ones."""
        from mlsteps.environment.registry import Environments

        return Environments(self)

    # Experiments and runs

    def running_airflow(self) -> RunningAirflow | None:
        """The Airflow that runs what is submitted; None where that is this process.

        :raises WorkspaceException: the connection that names it is not there.
        """
        if self.config.airflow is None:
            return None
        found: RunningAirflow = import_module(_RUNNING_AIRFLOW).RunningAirflow(self.config.airflow)
        return found

    def get_run(self, run_id: str) -> PipelineRun:
        """The run with this id.

        :raises WorkspaceException: the workspace has no such run.
        """
        from mlsteps.runs import PipelineRun

        return PipelineRun.get(self, run_id)

    @property
    def models(self) -> Mapping[str, Model]:
        """The newest version of every registered model, by name."""
        from mlsteps.models import Model

        def names() -> dict[str, None]:
            return dict.fromkeys(sorted(model.name for model in Model.list(self, latest=True)))

        return _Names(names, lambda name: next(iter(Model.list(self, name, latest=True)), None), "model")

    @property
    def experiments(self) -> Mapping[str, Experiment]:
        """Every experiment that has a run, by name."""
        from mlsteps.records import list_runs
        from mlsteps.runs import Experiment

        def names() -> dict[str, None]:
            return dict.fromkeys(sorted({run.experiment for run in list_runs(self.record_store())}))

        return _Names(names, lambda name: Experiment(self, name) if name in names() else None, "experiment")


def _described(config: DatastoreConfig) -> DatastoreConfig:
    """What a connection describes, if it does; else what was given."""
    if config.kind != BY_CONNECTION:
        return config
    read: Callable[[str], DatastoreConfig] = import_module(_CONNECTIONS).config_of_connection
    return read(config.settings["conn_id"])


def _opened(config: DatastoreConfig) -> Store:
    from mlsteps.data.stores import FolderStore

    if config.kind == FOLDER:
        return FolderStore(config.folder)
    opened: Callable[[DatastoreConfig], Store] = import_module(_CONNECTIONS).open_store
    return opened(config)


def _named_by_environment() -> Path:
    return Path(os.environ[WORKSPACE_VARIABLE]).expanduser().absolute()


class _Names(Mapping[str, T], Generic[T]):
    """A mapping whose names are asked for, and whose values are made, only when used."""

    def __init__(
        self, names: Callable[[], Mapping[str, Any]], find: Callable[[str], T | None], what: str
    ) -> None:
        self._names, self._find, self._what = names, find, what

    def __getitem__(self, name: str) -> T:
        found = self._find(name)
        if found is None:
            there = ", ".join(sorted(self._names())) or "none"
            raise KeyError(f"no {self._what} is called {name!r}; there is {there}")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

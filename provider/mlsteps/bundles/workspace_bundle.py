"""WorkspaceDagBundle: published pipelines, endpoints and schedules of a workspace, as DAGs of Airflow."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

from airflow.dag_processing.bundles.base import BaseDagBundle

from mlsteps.bundles.contents import FOLDERS, manifest_of, registry_token
from mlsteps.bundles.layout import lay_out, lay_out_once
from mlsteps.bundles.manifest import Manifest
from mlsteps.bundles.registry_files import RegistryFiles
from mlsteps.compat import bundle_version, set_paused
from mlsteps.exceptions import WorkspaceException
from mlsteps.launcher import atomic
from mlsteps.workspace import Workspace

_log = logging.getLogger(__name__)

VERSIONS = "mlsteps/dag-bundle-versions"
"""Where it is kept on the workspace's store what each version of a bundle holds."""


class WorkspaceDagBundle(BaseDagBundle):
    """A DAG bundle: each name of published pipelines is a DAG, and so is each endpoint and each schedule.

    ``published.<name>`` is the newest active publication of a name, ``endpoint.<name>`` the default version
    of an endpoint, ``schedule.<name>`` what a schedule runs, and ``watch.<name>`` what looks at data for it.
    Publishing again, or another default version, is a new version of the DAG; runs that are
    under way go on with theirs. What is disabled is paused. Nothing that was published runs in the DAG
    processor: its files are JSON, which a DAG file of this package reads.

    :param conn_id: The Airflow connection that is the workspace. Default: the default workspace.
    :param folder: The workspace's folder, instead.
    :param kwargs: What every bundle has: ``name``, ``refresh_interval`` in seconds, ...
    """

    supports_versioning = True

    def __init__(
        self, *, conn_id: str | None = None, folder: str | os.PathLike[str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._workspace = Workspace(conn_id=conn_id, folder=folder)

    @property
    def path(self) -> Path:
        """Where its DAG files are."""
        return Path(self.versions_dir / self.version if self.version else self.base_dir / "current")

    def initialize(self) -> None:
        """Lay the DAG files out: those of its version, or the newest ones."""
        if not self.version:
            self._refresh_if_possible()
        elif not self.path.is_dir():
            with self.lock():
                self._make_version(self.version)
        super().initialize()

    def get_current_version(self) -> Any:
        """The version that its DAG files are of."""
        version = self.version or self._state().get("version")
        return None if version is None else bundle_version(version)

    def refresh(self) -> None:
        """Bring the DAG files to what is published now.

        Where nothing has changed this is one listing of the registry.
        """
        if self.version:
            return
        with self.lock():
            store = self._workspace.record_store()
            paths = [info.path for folder in FOLDERS for info in store.list(folder)]
            state = self._state()
            token = registry_token([self._workspace.locator, *paths])
            if state.get("token") == token and self.path.is_dir():
                return
            registry = RegistryFiles(store, self.base_dir / "registry")
            registry.fetch(path for path in paths if not path.endswith("/definition.json"))
            manifest = manifest_of(paths, registry.read)
            # First, so that every worker finds the version that a run may have.
            store.create(f"{VERSIONS}/{manifest.version}.json", manifest.text.encode())
            registry.fetch(entry.definition_path for entry in manifest.entries)
            lay_out(manifest, self.path, self._workspace.locator, registry.read)
            active = {entry.dag_id: entry.active for entry in manifest.entries}
            _pause(state.get("active", {}), active)
            self._keep_state({"token": token, "version": manifest.version, "active": active})

    def _refresh_if_possible(self) -> None:
        """Go on with the files of before where the workspace cannot be reached."""
        try:
            self.refresh()
        except Exception as error:  # each kind of store has errors of its own
            if not self.path.is_dir():
                raise
            _log.warning("DAG bundle %s stays as it was: %s", self.name, error)

    def _make_version(self, version: str) -> None:
        if self.path.is_dir():  # somebody else was first
            return
        store = self._workspace.record_store()
        try:
            text = store.read(f"{VERSIONS}/{version}.json")
        except FileNotFoundError:
            raise WorkspaceException(
                f"DAG bundle {self.name!r}: workspace {self._workspace.name!r} knows no version {version!r} "
                f"of it. Was the bundle another workspace's when the run was created?"
            ) from None
        manifest, registry = Manifest.parse(text), RegistryFiles(store, self.base_dir / "registry")
        registry.fetch(entry.definition_path for entry in manifest.entries)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lay_out_once(manifest, self.path, self._workspace.locator, registry.read)

    def _state(self) -> dict[str, Any]:
        try:
            found = json.loads((self.base_dir / "state.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _keep_state(self, state: dict[str, Any]) -> None:
        with atomic.replacing(self.base_dir / "state.json") as out:
            out.write(json.dumps(state).encode())


def _pause(before: dict[str, bool], now: dict[str, bool]) -> None:
    """Pause what was disabled meanwhile, and let go on what was enabled. Others are their users' business."""
    for dag_id, active in now.items():
        if before.get(dag_id, True) == active:
            continue
        try:
            set_paused(dag_id, not active)
        except Exception as error:  # the files are right all the same, and the DAG processor goes on
            _log.warning("DAG %s could not be %s: %s", dag_id, "unpaused" if active else "paused", error)

"""Freezer: what a pipeline names on this machine or in its workspace becomes something that stays."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlsteps.data.datasets import keep
from mlsteps.definitions.kinds import CannotBeWritten
from mlsteps.environment import Environment
from mlsteps.environment.build_context import store_context
from mlsteps.environment.image_context import dockerfile_text
from mlsteps.environment.redaction import UrlSecrets, redact
from mlsteps.environment.registry import looks_secret
from mlsteps.exceptions import MlstepsException
from mlsteps.records import layout
from mlsteps.reuse import git
from mlsteps.reuse.frozen import FrozenCode
from mlsteps.reuse.snapshot import hash_paths
from mlsteps.reuse.snapshot_store import fetch_archive, store_snapshot
from mlsteps.steps.caches import digest_cache

if TYPE_CHECKING:
    from mlsteps.data.datasets import AbstractDataset
    from mlsteps.steps import PipelineStep
    from mlsteps.workspace import Workspace

_PUBLISH = "Publish the Pipeline itself: Pipeline(...).publish(...)."
_NO_SECRETS = "What is published can be read by everybody who reads the workspace."
SETTINGS_WITH_SECRETS = ("spark_env_variables", "spark_conf", "cluster_options", "executor_config")
"""Arguments and settings of clusters in which people put secrets."""

# Values that are no secret, whatever their variable is called: TOKENIZERS_PARALLELISM=false.
_HARMLESS = ("", "true", "false", "yes", "no", "on", "off", "none")


class Freezer:
    """Keeps code, environments and datasets of one pipeline in its workspace.

    :param workspace: The pipeline's.
    :param for_record: Whether what is written is a record that nobody asked for: then settings that are in no
        other record are refused, whatever they look like.
    """

    def __init__(self, workspace: Workspace, *, for_record: bool = False) -> None:
        self._workspace = workspace
        self._for_record = for_record
        self._code: dict[tuple[Path, tuple[str, ...]], FrozenCode] = {}
        self._git: dict[Path, dict[str, str | bool]] = {}

    def code_of(self, step: PipelineStep, directory: Path) -> FrozenCode | None:
        """The code of a step, which is in the workspace afterwards; None for one that has none.

        :raises SnapshotException: it cannot be read.
        """
        if step.frozen_code is not None:
            self._check_there(step.frozen_code)
            return step.frozen_code
        if not step.takes_source:
            counted = self._counted(directory, step.hash_paths)
            return FrozenCode(hash_paths=counted) if counted else None
        return self.code_in(directory, step.taken_along(), step.hash_paths)

    def code_in(
        self, directory: Path, only: tuple[str, ...] = (), others: Sequence[Any] | None = None
    ) -> FrozenCode:
        """The code in a folder, which is in the workspace afterwards.

        :param only: Patterns of the files that are taken along; none means all.
        :param others: Further files that count.
        :raises SnapshotException: it cannot be read.
        """
        counted, taken = self._counted(directory, others), self._snapshot(directory, only)
        return FrozenCode(taken.snapshot, taken.number_of_files, taken.bytes, taken.git, counted)

    def _counted(self, directory: Path, others: Sequence[Any] | None) -> Mapping[str, str]:
        paths = [str(path) for path in others or ()]
        return hash_paths(directory, paths, digest_cache(self._workspace)) if paths else {}

    def _check_there(self, code: FrozenCode) -> None:
        if code.snapshot is not None:
            cache = self._workspace.config.folder / "snapshots"
            fetch_archive(code.snapshot, self._workspace.record_store(), layout.SNAPSHOTS, cache)

    def _snapshot(self, directory: Path, only: tuple[str, ...]) -> FrozenCode:
        if (directory, only) not in self._code:
            snapshot, _ = store_snapshot(
                directory,
                self._workspace.record_store(),
                layout.SNAPSHOTS,
                self._workspace.config.folder / "snapshots",
                digest_cache(self._workspace),
                only,
            )
            if directory not in self._git:
                self._git[directory] = dict(git.describe(directory))
            self._code[directory, only] = FrozenCode(
                snapshot.digest, snapshot.number_of_files, snapshot.bytes, self._git[directory]
            )
        return self._code[directory, only]

    def environment(self, environment: Environment) -> dict[str, Any]:
        """An environment in its plain form, which needs no file of this machine.

        :raises CannotBeWritten: it holds a secret.
        """
        self._refuse_secrets(environment)
        docker = copy.copy(environment.docker)
        docker.base_dockerfile = dockerfile_text(docker.base_dockerfile)
        if docker.base_dockerfile and redact(docker.base_dockerfile) != docker.base_dockerfile:
            raise CannotBeWritten("", "there is a credential in a URL of its Dockerfile", _NO_SECRETS)
        if self._for_record and docker.build_context is not None and docker.build_context.is_local:
            raise CannotBeWritten("", "its build context is kept only when it is published", _PUBLISH)
        if docker.build_context is not None:
            scratch = self._workspace.config.folder / "scratch"
            docker.build_context = store_context(
                docker.build_context, self._workspace.record_store(), scratch
            )
        return {**environment.to_plain(), "docker": docker.to_plain()}

    def keep_dataset(self, dataset: AbstractDataset) -> None:
        """Let the workspace find a dataset by its id, which is how a run's parameter names it.

        :raises CannotBeWritten: it names a URL with a signature.
        """
        try:
            keep(dataset, self._workspace)
        except MlstepsException as error:
            raise CannotBeWritten("", str(error)) from error

    def refuse_secrets_in(self, what: str, settings: Any) -> None:
        """Refuse settings that hold a secret, as far as names and values tell.

        :param what: What the settings are called.
        :raises CannotBeWritten: naming the setting, and not its value.
        """
        if self._for_record and settings:
            raise CannotBeWritten("", f"{what} may hold secrets, so that no record has them", _PUBLISH)
        if isinstance(settings, (list, tuple)):
            for item in settings:
                self.refuse_secrets_in(what, item)
        if not isinstance(settings, Mapping):
            return
        for name, value in settings.items():
            if isinstance(value, (Mapping, list, tuple)):
                self.refuse_secrets_in(what, value)
            elif _is_secret(str(name), str(value)):
                raise CannotBeWritten(
                    "",
                    f"{str(name)!r} of {what} looks like a secret",
                    f"{_NO_SECRETS} Let the compute target give it to the script instead.",
                )

    def _refuse_secrets(self, environment: Environment) -> None:
        packages, found = environment.python.conda_dependencies, UrlSecrets()
        packages.installer_lines(found)
        packages.channel_urls(found)
        if found:
            raise CannotBeWritten(
                "",
                f"environment {environment.name!r} has a credential in the URL of a package index",
                f"{_NO_SECRETS} Set the index on the workers: the documentation of environments says how.",
            )
        if environment.docker.base_image_registry.password:
            raise CannotBeWritten(
                "",
                f"environment {environment.name!r} has the password of an image registry",
                f"{_NO_SECRETS} Give the compute target an Airflow connection to the registry.",
            )
        self.refuse_secrets_in(
            f"the variables of environment {environment.name!r}", environment.environment_variables
        )
        cluster = environment.databricks.cluster
        for name in SETTINGS_WITH_SECRETS:
            self.refuse_secrets_in(name, getattr(cluster, name, None))


def _is_secret(name: str, value: str) -> bool:
    text = value.strip().lower()
    harmless = text in _HARMLESS or text.isdigit() or text.startswith("{{secrets/")  # a reference to one
    return not harmless and looks_secret(name, value)

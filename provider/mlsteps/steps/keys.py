"""The reuse key of a resolved step: everything that can change its result, and nothing that cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mlsteps.compute.tokens import substitute
from mlsteps.data import DataPath, PipelineData
from mlsteps.data.content import StoredContent, content_at
from mlsteps.environment import environment_identity, plan_environment
from mlsteps.exceptions import DataNotFoundException
from mlsteps.reuse.key import InputKey, Key, hidden
from mlsteps.reuse.snapshot import Snapshot, hash_paths, take_snapshot
from mlsteps.steps.binding import configured_variables, output_datastore
from mlsteps.steps.caches import digest_cache
from mlsteps.steps.parameters import parameter_token, parameter_variable

if TYPE_CHECKING:
    from mlsteps.steps.ports import OutputPort
    from mlsteps.steps.resolving import ResolvedInput, ResolvedStep

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".lz4")


@dataclass(frozen=True)
class KeyedStep:
    """A resolved step with its key.

    :param contents: By input port: the data as it is now.
    """

    resolved: ResolvedStep
    key: Key
    snapshot: Snapshot
    contents: Mapping[str, StoredContent]

    def listing(self, digest: str) -> Mapping[str, str] | None:
        """The files of its source directory or of one of its inputs, by the digest of the whole."""
        if digest == self.snapshot.digest:
            return {entry.path: f"{entry.kind} {entry.digest}" for entry in self.snapshot.entries()}
        found = next((content for content in self.contents.values() if content.digest == digest), None)
        return None if found is None else found.files()


@dataclass
class KeyMaker:
    """Makes keys; what many steps of a pipeline share is read once."""

    _snapshots: dict[Path, Snapshot] = field(default_factory=dict)
    _environments: dict[int, tuple[object, Mapping[str, Any]]] = field(default_factory=dict)

    def key_of(self, resolved: ResolvedStep, snapshot: Snapshot | None = None) -> KeyedStep:
        """The key of a step as it stands now.

        :param snapshot: Of its source directory, where it has just been taken.
        :raises DataNotFoundException: an input does not exist.
        :raises SnapshotException: the source directory, or one of ``hash_paths``, cannot be read.
        """
        step, cache = resolved.step, digest_cache(resolved.workspace)
        snapshot = snapshot or self._snapshot(resolved)
        contents = {given.port.name: content_of_input(resolved, given) for given in resolved.inputs}
        values, counted = _values_that_count(resolved)
        parameters: dict[str, Any] = {**counted}
        for name in step.script_params:
            parameters[name] = values.get(f"${parameter_variable(name)}", "")
        key = Key(
            kind=step.step_type,
            code=snapshot.digest,
            hash_paths=hash_paths(step.source_directory, step.hash_paths, cache) if step.hash_paths else {},
            command=(
                *step.command(),
                *(substitute(argument, values) for argument in resolved.arguments),
            ),
            parameters=parameters,
            variables={
                name: hidden(name, substitute(str(value), values))
                for name, value in configured_variables(step).items()
            },
            inputs={
                given.port.name: _input_key(given, contents[given.port.name]) for given in resolved.inputs
            },
            outputs={port.name: _declared(resolved, port) for port in step.output_ports},
            environment=self._environment(step.run_configuration),
            version=None if step.version is None else str(step.version),
        )
        return KeyedStep(resolved, key, snapshot, contents)

    def _snapshot(self, resolved: ResolvedStep) -> Snapshot:
        directory = resolved.step.source_directory
        if directory not in self._snapshots:
            self._snapshots[directory] = take_snapshot(directory, digest_cache(resolved.workspace))
        return self._snapshots[directory]

    def _environment(self, run_configuration: Any) -> Mapping[str, Any]:
        known = self._environments.get(id(run_configuration))
        if known is None:
            identity = environment_identity(plan_environment(run_configuration))
            known = self._environments[id(run_configuration)] = (run_configuration, identity)
        return known[1]


def content_of_input(resolved: ResolvedStep, given: ResolvedInput) -> StoredContent:
    """The data behind an input, as it is now.

    Not as it was when it was published: somebody may have written to it since, and a result of other data
    must not pass for one of this.

    :raises DataNotFoundException: there is none.
    """
    content = content_at(given.datastore.store, given.path, digest_cache(resolved.workspace))
    if content is None:
        raise DataNotFoundException(
            f"Step {resolved.step.name!r}, input {given.port.name!r}: "
            f"there is nothing at {given.datastore.store.url(given.path)}."
        )
    return content


def _values_that_count(resolved: ResolvedStep) -> tuple[dict[str, str], dict[str, Any]]:
    """Values by token, and parameters by name, without those that are no part of the result.

    The token of one that does not count stays in the arguments, as if it had no value.
    """
    step = resolved.step
    tokens = {parameter_token(p): p for p in step.pipeline_parameters}
    values = {token: resolved.values[token] if p.in_fingerprint else token for token, p in tokens.items()}
    for name, value in step.script_params.items():
        values[f"${parameter_variable(name)}"] = substitute(str(value), values)
    counted = {
        p.name: resolved.parameters[p.name]
        for p in step.pipeline_parameters
        # Of a data path the data counts, as an input, and not where it lies.
        if p.in_fingerprint and not isinstance(p.default_value, DataPath)
    }
    return values, counted


def _input_key(given: ResolvedInput, content: StoredContent) -> InputKey:
    # A script may tell a single file's format by its suffix: data.csv.gz is not read like data.csv.
    suffixes = [suffix.lower() for suffix in PurePosixPath(given.path).suffixes]
    compressed = bool(suffixes) and suffixes[-1] in _COMPRESSED
    suffix = "".join(suffixes[-2:] if compressed else suffixes[-1:]) if content.kind == "file" else ""
    return InputKey(content.digest, content.kind, suffix, given.port.path_on_compute)


def _declared(resolved: ResolvedStep, port: OutputPort) -> Mapping[str, Any]:
    """What was declared of an output, as far as it changes what is made or where."""
    data = port.data
    datastore = output_datastore(resolved.step, resolved.workspace, port).name
    if isinstance(data, PipelineData):
        declared = {"is_directory": data.is_directory, "path_on_compute": data.output_path_on_compute}
        return {"type": "PipelineData", "datastore": datastore, "mode": data.output_mode, **declared}
    return {
        "type": "OutputFileDatasetConfig",
        "datastore": datastore,
        "mode": data.mode,
        "destination": data.path,
        "source": data.source,
        "globs": " ".join(data.source_globs) if data.source_globs else None,
    }

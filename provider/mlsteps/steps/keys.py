"""The reuse key of a resolved step: everything that can change its result, and nothing that cannot."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mlsteps.compute import ComputeTarget
from mlsteps.compute.tokens import substitute
from mlsteps.data import PipelineData
from mlsteps.data.content import StoredContent, content_at
from mlsteps.environment import EnvironmentLocks, plan_environment
from mlsteps.exceptions import DataNotFoundException
from mlsteps.reuse.change import Change
from mlsteps.reuse.compare import Listing, compare
from mlsteps.reuse.key import InputKey, Key, hidden
from mlsteps.reuse.selection import nothing_of, select
from mlsteps.reuse.snapshot import Snapshot, hash_paths, take_snapshot
from mlsteps.steps.binding import configured_variables, output_datastore
from mlsteps.steps.caches import digest_cache, environment_locks
from mlsteps.steps.frozen import code_of
from mlsteps.steps.parameter_texts import filled, holds_parameter
from mlsteps.steps.parameters import parameter_token, parameter_variable

if TYPE_CHECKING:
    from mlsteps.reuse.digest_cache import DigestCache
    from mlsteps.steps.base import PipelineStep
    from mlsteps.steps.ports import OutputPort
    from mlsteps.steps.resolving import ResolvedInput, ResolvedStep

# The part of an environment's identity that is hundreds of entries.
PACKAGES = "packages"

Identity = Mapping[str, Any]
Packages = Mapping[str, str]

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".lz4")


@dataclass(frozen=True)
class KeyedStep:
    """A resolved step with its key.

    :param contents: By input port: the data as it is now.
    :param packages: Of an environment that is told by what is installed: versions by name.
    """

    resolved: ResolvedStep
    key: Key
    snapshot: Snapshot
    contents: Mapping[str, StoredContent]
    packages: Mapping[str, str] = field(default_factory=dict)

    def listing(self, digest: str) -> Mapping[str, str] | None:
        """What a digest in the key stands for: files of the source directory or an input, or packages."""
        if digest == self.key.environment.get(PACKAGES):
            return self.packages
        if digest == self.snapshot.digest:
            return {entry.path: f"{entry.kind} {entry.digest}" for entry in self.snapshot.entries()}
        found = next((content for content in self.contents.values() if content.digest == digest), None)
        return None if found is None else found.files()


@dataclass
class KeyMaker:
    """Makes keys; what many steps of a pipeline share is read once."""

    _snapshots: dict[Path, Snapshot] = field(default_factory=dict)
    _environments: dict[tuple[int, str, object], tuple[object, Identity, Packages]] = field(
        default_factory=dict
    )
    _locks: dict[str, EnvironmentLocks] = field(default_factory=dict)

    def key_of(self, resolved: ResolvedStep, snapshot: Snapshot | None = None) -> KeyedStep:
        """The key of a step as it stands now.

        :param snapshot: Of its source directory, where it has just been taken.
        :raises DataNotFoundException: an input does not exist.
        :raises SnapshotException: the source directory, or one of ``hash_paths``, cannot be read.
        :raises EnvironmentBuildError: the packages of its environment cannot be resolved.
        """
        step, cache = resolved.step, digest_cache(resolved.workspace)
        snapshot = snapshot or self._snapshot(resolved)
        contents = {given.port.name: content_of_input(resolved, given) for given in resolved.inputs}
        values, counted = _values_that_count(resolved)
        environment, packages = self._environment(resolved) if step.runs_code else ({}, {})
        parameters: dict[str, Any] = {**counted}
        for name in step.script_params:
            # One that passes a pipeline parameter on under its own name counts as that, with its type.
            parameters.setdefault(name, values.get(f"${parameter_variable(name)}", ""))
        key = Key(
            kind=step.step_type,
            code=snapshot.digest,
            hash_paths=_hash_paths(step, cache),
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
            environment=environment,
            version=None if step.version is None else str(step.version),
        )
        return KeyedStep(resolved, key, snapshot, contents, packages)

    def _snapshot(self, resolved: ResolvedStep) -> Snapshot:
        directory, only = resolved.step.source_directory, resolved.step.taken_along()
        if not resolved.step.takes_source:
            return nothing_of(directory)
        if resolved.step.frozen_code is not None:
            return code_of(resolved.step, resolved.workspace)
        if directory not in self._snapshots:
            self._snapshots[directory] = take_snapshot(directory, digest_cache(resolved.workspace))
        return select(self._snapshots[directory], only)

    def _environment(self, resolved: ResolvedStep) -> tuple[Identity, Packages]:
        run_configuration, where = resolved.step.run_configuration, resolved.workspace.locator
        said_by = resolved.step if resolved.step.has_environment_of_its_own else run_configuration
        declared = resolved.step.compute_target
        name = (
            declared
            if isinstance(declared, ComputeTarget)
            else resolved.step.compute_target_in(resolved.values)
        )
        known = self._environments.get((id(said_by), where, name))
        if known is None:
            # Once for all steps that say the same: a name may be looked up on a store.
            target = resolved.step.resolve_compute_target(resolved.workspace, resolved.values)
            plan = plan_environment(run_configuration)
            if where not in self._locks:
                self._locks[where] = environment_locks(resolved.workspace)
            folder = resolved.workspace.config.folder / "environments"
            identity = dict(target.environment_identity(plan, self._locks[where], folder))
            packages: Packages = identity.get(PACKAGES) or {}
            if packages:  # hundreds, in every key; what they are is kept once, for words
                identity[PACKAGES] = _packages_digest(packages)
            known = (said_by, identity, packages)
            self._environments[id(said_by), where, name] = known
        return known[1], known[2]


def changes_between(before: Key, after: Key, listing: Listing) -> tuple[Change, ...]:
    """What differs between two keys, package by package where ``listing`` knows them."""
    packages = [key.environment.get(PACKAGES) for key in (before, after)]
    known = [listing(digest) if isinstance(digest, str) else None for digest in packages]
    if packages[0] == packages[1] or None in known:
        return compare(before, after, listing)
    told = [
        replace(key, environment={**key.environment, PACKAGES: dict(found or {})})
        for key, found in zip((before, after), known, strict=True)
    ]
    return compare(told[0], told[1], listing)


def _packages_digest(packages: Packages) -> str:
    text = "\n".join(f"{name}=={version}" for name, version in sorted(packages.items()))
    return f"sha256p:{hashlib.sha256(text.encode()).hexdigest()}"


def content_of_input(resolved: ResolvedStep, given: ResolvedInput) -> StoredContent:
    """The data behind an input, as it is now.

    Not as it was when it was published: somebody may have written to it since, and a result of other data
    must not pass for one of this.

    :raises DataNotFoundException: there is none.
    """
    content = content_at(given.store, given.path, digest_cache(resolved.workspace))
    if content is None:
        raise DataNotFoundException(
            f"Step {resolved.step.name!r}, input {given.port.name!r}: "
            f"there is nothing at {given.store.url(given.path)}."
        )
    return content


def _hash_paths(step: PipelineStep, cache: DigestCache) -> Mapping[str, str]:
    """Digests of further files that count; of frozen code, as they were then."""
    if step.frozen_code is not None:
        return step.frozen_code.hash_paths
    return hash_paths(step.source_directory, step.hash_paths, cache) if step.hash_paths else {}


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
        # Of a data path or dataset the data counts, as an input, and not how it is called.
        if p.in_fingerprint and isinstance(p.default_value, (str, int, float))
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
    fixed = resolved.step.output_place(resolved)
    if fixed is not None:
        return {"type": "place", "datastore": fixed[0].name, "destination": fixed[1]}
    datastore = output_datastore(resolved.step, resolved.workspace, port).name
    if isinstance(data, PipelineData):
        declared = {"is_directory": data.is_directory, "path_on_compute": data.output_path_on_compute}
        return {"type": "PipelineData", "datastore": datastore, "mode": data.output_mode, **declared}
    # A name that each run decides is a name that a result of another run was not registered under.
    name = port.registration.name if port.registration else ""
    registered = {"registered": filled(name, resolved.values)} if holds_parameter(name) else {}
    return {
        "type": "OutputFileDatasetConfig",
        "datastore": datastore,
        "mode": data.mode,
        # Where the data is; so every value counts that decides it.
        "destination": filled(data.path, resolved.values),
        "source": data.source,
        "globs": " ".join(data.source_globs) if data.source_globs else None,
        **registered,
    }

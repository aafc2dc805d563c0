"""Key: everything that can change a step's result, and nothing that cannot. Its hash decides about reuse."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from mlsteps.exceptions import UserErrorException
from mlsteps.reuse import canonical
from mlsteps.reuse.canonical import Json, Scalar

KEY_FORMAT = 1
"""Goes up when the same step would get another fingerprint, or another step the same one."""

KEY_PREFIX = "sha256k:"

_KEY_TAG = b"mlsteps.key/1\n"
_VARIABLE_TAG = b"mlsteps.variable/1\n"
_HIDDEN_PREFIX = "pbkdf2:"
_HIDDEN = re.compile(_HIDDEN_PREFIX + r"[0-9a-f]{64}")
_ROUNDS = 50_000


@dataclass(frozen=True)
class InputKey:
    """What counts of an input: the data itself, and what a script can see of it besides.

    :param digest: Of the content; equal digests are equal data.
    :param kind: ``file`` or ``directory``.
    :param suffix: Of a file's name, such as ``.csv``: a script may tell the format by it. Else empty.
    :param path_on_compute: Where the data stands for the script, if that was declared.
    """

    digest: str
    kind: str
    suffix: str = ""
    path_on_compute: str | None = None

    def __post_init__(self) -> None:
        where = "A reuse key's input"
        for name in ("digest", "kind", "suffix"):
            object.__setattr__(self, name, canonical.text(getattr(self, name), f"{where}, its {name},"))
        path = canonical.optional_text(self.path_on_compute, f"{where}, its path_on_compute,")
        object.__setattr__(self, "path_on_compute", path)
        if self.kind not in ("file", "directory"):
            raise UserErrorException(f"{where} is a file or a directory, not {self.kind!r}.")
        if self.suffix and (self.kind != "file" or not self.suffix.startswith(".")):
            raise UserErrorException(
                f"{where} has the suffix {self.suffix!r}: a file's is like '.csv', a directory has none."
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class Key:
    """The parts that a step's fingerprint is made of. Two keys are equal if their fingerprints are.

    Names, DAG and run, compute target and tags are no part of it, and there is no place for them.

    :param kind: The step's type.
    :param code: Digest of the snapshot of the source directory.
    :param hash_paths: Digest of each path in ``hash_paths``, by the path as it was written.
    :param command: Command and arguments with parameter values in place. Data stands as tokens, and so do
        parameters that are no part of the result.
    :param parameters: Values of the parameters that the script sees in its environment.
    :param variables: The run configuration's environment variables: what `hidden` makes of each.
    :param inputs, outputs: By port name; of outputs what was declared.
    :param environment: What the script runs in. ``packages`` (name to version) and ``requirements`` (as for
        pip) are told package by package when they change; anything else may be in it, too.
    :param version: The step's ``version``.
    :param extra: Whatever an operator that is no step gives for its fingerprint.
    :param format: Version of the key itself.
    :raises UserErrorException: a part is of a wrong type, or a variable is not hidden.
    """

    format: int = KEY_FORMAT
    kind: str
    code: str | None = None
    hash_paths: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, InputKey] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)
    environment: Mapping[str, Json] = field(default_factory=dict)
    version: str | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Copies: a list that its owner changes later must not change what was decided about.
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, value in _checked(parts).items():
            object.__setattr__(self, name, value)

    @functools.cached_property
    def fingerprint(self) -> str:
        """``sha256k:`` and 64 hexadecimal digits, the same on every machine."""
        return KEY_PREFIX + hashlib.sha256(_KEY_TAG + canonical.encode(_as_dict(self))).hexdigest()

    def __eq__(self, other: object) -> bool:
        return self.fingerprint == other.fingerprint if isinstance(other, Key) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def to_plain(self) -> dict[str, Any]:
        """The key as strict JSON types."""
        found: dict[str, Any] = canonical.to_strict(_as_dict(self))
        return found

    @classmethod
    def from_plain(cls, value: object) -> Key:
        """The key that `to_plain` described; it has the same fingerprint.

        :raises UserErrorException: it is no key, or one of another format.
        """
        known = canonical.mapping(canonical.from_strict(value, "A reuse key"), "A reuse key")
        found = known.get("format")
        if type(found) is not int or found != KEY_FORMAT:
            raise UserErrorException(
                f"A reuse key of format {found!r} cannot be read: this mlsteps reads format {KEY_FORMAT}."
            )
        names = {f.name for f in fields(cls)}
        if known.keys() != names:
            odd = ", ".join(sorted(known.keys() ^ names))
            raise UserErrorException(f"A reuse key has unknown or missing parts: {odd}.")
        inputs = canonical.mapping(known["inputs"], "A reuse key's inputs")
        try:
            ports = {name: InputKey(**port) for name, port in inputs.items()}
        except TypeError as error:
            raise UserErrorException(f"A reuse key has an input that is not readable: {error}") from error
        return cls(**{**known, "inputs": ports})


@functools.lru_cache(maxsize=1024)
def hidden(name: str, value: str) -> str:
    """What stands for an environment variable's value: slow to make, because values may be secrets.

    A plain hash of a short password can be tried out; whoever reads a key has to pay for every guess, and
    for every name anew.
    """
    salt = _VARIABLE_TAG + name.encode("utf-8", "surrogatepass")
    made = hashlib.pbkdf2_hmac("sha256", value.encode("utf-8", "surrogatepass"), salt, _ROUNDS)
    return _HIDDEN_PREFIX + made.hex()


def _as_dict(key: Key) -> dict[str, Any]:
    parts = {f.name: getattr(key, f.name) for f in fields(key)}
    return {**parts, "inputs": {name: asdict(port) for name, port in key.inputs.items()}}


def _checked(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Plain copies of a key's parts."""
    where = {name: f"A reuse key's {name}" for name in parts}
    maps = {name: canonical.mapping(parts[name], where[name]) for name in _MAPPINGS}
    if type(parts["format"]) is not int:
        raise UserErrorException(f"{where['format']} has to be a whole number.")
    if not isinstance(parts["command"], (list, tuple)):
        raise UserErrorException(f"{where['command']} has to be a list of words.")
    for name, value in maps["variables"].items():
        if not isinstance(value, str) or not _HIDDEN.fullmatch(value):
            raise UserErrorException(f"{where['variables']}: the value of {name!r} has to be hidden.")
    for name, port in maps["inputs"].items():
        if not isinstance(port, InputKey):
            raise UserErrorException(f"{where['inputs']}: {name!r} has to be an InputKey.")
    return {
        "format": parts["format"],
        "kind": canonical.text(parts["kind"], where["kind"]),
        "code": canonical.optional_text(parts["code"], where["code"]),
        "hash_paths": {k: canonical.text(v, where["hash_paths"]) for k, v in maps["hash_paths"].items()},
        "command": tuple(canonical.text(word, where["command"]) for word in parts["command"]),
        "parameters": {
            k: canonical.scalar(v, f"{where['parameters']}, {k!r},") for k, v in maps["parameters"].items()
        },
        "variables": maps["variables"],
        "inputs": maps["inputs"],
        "outputs": {
            port: {
                k: canonical.scalar(v, f"{where['outputs']}, {k!r} of {port!r},")
                for k, v in canonical.mapping(declared, f"{where['outputs']}, {port!r},").items()
            }
            for port, declared in maps["outputs"].items()
        },
        "environment": canonical.plain(maps["environment"], where["environment"]),
        "version": canonical.optional_text(parts["version"], where["version"]),
        "extra": canonical.plain(maps["extra"], where["extra"]),
    }


_MAPPINGS = ("hash_paths", "parameters", "variables", "inputs", "outputs", "environment", "extra")

"""The fingerprint that a ReuseSensor is given: checked when it is declared, read when the sensor runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from mlsteps.compat import to_plain
from mlsteps.data import DataPath, DataReference, Datastore, PipelineParameter, PortDataReference
from mlsteps.data.content import StoredContent, content_at
from mlsteps.data.stores import FolderStore, Store
from mlsteps.exceptions import DataNotFoundException, UserErrorException
from mlsteps.reuse import canonical
from mlsteps.reuse.canonical import Json
from mlsteps.reuse.key import InputKey
from mlsteps.sensors.refusing import refused
from mlsteps.steps.arguments import is_filled_in_later
from mlsteps.steps.caches import digest_cache
from mlsteps.steps.parameters import add_parameter
from mlsteps.workspace import Workspace

_ALLOWED = (
    "Give texts (templates are filled in), numbers, True, False, None, lists and dicts of those, "
    "a pathlib.Path, a DataReference, a PipelineParameter, or the result of another task."
)
# In labels these have a meaning, see `label_of`.
_MARKS = re.compile(r"[:\[\]'\"]")


def checked_fingerprint(sensor: str, given: object, guards: Collection[str]) -> dict[str, Any]:
    """A fingerprint as it was declared, if it can be used as one.

    :param guards: Ids of the tasks that the sensor guards: their results come too late.
    :raises UserErrorException: naming the sensor, the key and what to do.
    """
    if not isinstance(given, Mapping) or not given:
        raise refused(
            sensor,
            "fingerprint",
            f"with guards it has to say what their result depends on, by name, but it is {given!r}"
            if given is not None
            else "it is missing",
            "For example: fingerprint={'day': '{{ ds }}', 'query': Path('query.sql')}.",
        )
    for name, value in given.items():
        if not isinstance(name, str) or not name.strip():
            raise refused(sensor, "fingerprint", f"the name {name!r} is no text", "Name each value.")
        for label, leaf in leaves(label_of(name), value):
            _check_leaf(sensor, label, leaf, guards)
    return {name: _without_paths(value) for name, value in given.items()}


@dataclass(frozen=True)
class DeclaredPath:
    """A path as it was declared. Airflow 3.1 would make a ``pathlib.Path`` absolute, from anywhere."""

    path: str

    def serialize(self) -> str:
        """The text that Airflow's Rendered Templates view shows."""
        return self.path


def _without_paths(value: Any) -> Any:
    if _is_path(value):
        return DeclaredPath(str(value))
    if isinstance(value, Mapping):
        return {key: _without_paths(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_paths(item) for item in value]
    return value


def _check_leaf(sensor: str, label: str, leaf: object, guards: Collection[str]) -> None:
    def refuse(problem: str, fix: str) -> UserErrorException:
        return refused(sensor, "fingerprint", f"{label!r} {problem}", fix)

    if isinstance(leaf, PipelineParameter):
        if not leaf.in_fingerprint:
            raise refuse("is a PipelineParameter with in_fingerprint=False", "Leave it out.")
    elif is_filled_in_later(leaf):
        for maker, _ in leaf.iter_references():
            if maker.task_id in guards:
                raise refuse(
                    f"is a result of {maker.task_id!r}, which runs only after the sensor has decided",
                    "Give what that task reads instead.",
                )
    elif isinstance(leaf, (DataPath, Datastore)):
        raise refuse(f"is a {type(leaf).__name__}", "Give a DataReference to what is read there.")
    elif not (
        _is_content(leaf) or _is_path(leaf) or leaf is None or isinstance(leaf, (str, bool, int, float))
    ):
        raise refuse(f"is a {type(leaf).__name__}", _ALLOWED)


def parameters_of(sensor: str, fingerprint: Mapping[str, Any]) -> tuple[PipelineParameter, ...]:
    """The pipeline parameters in a fingerprint.

    :raises StepDefinitionError: two of one name have different defaults.
    """
    found: tuple[PipelineParameter, ...] = ()
    for name, value in fingerprint.items():
        for _, leaf in leaves(name, value):
            if isinstance(leaf, PipelineParameter):
                found = add_parameter(sensor, leaf, found)
    return found


def label_of(name: str) -> str:
    """A name as the key and its words have it, which never looks like a label made of several parts."""
    return repr(name) if _MARKS.search(name) else name


def leaves(label: str, value: object) -> Iterator[tuple[str, object]]:
    """Each single value in what was given under a name, with a label that tells where it stands."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(f"{label}[{key!r}]", item)
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from leaves(f"{label}[{number}]", item)
    else:
        yield label, value


def _is_path(value: object) -> bool:
    # Only paths of this machine: Airflow's ObjectStoragePath is one of pathlib's in some versions.
    return isinstance(value, PurePath) and type(value).__module__.startswith("pathlib")


def _is_content(value: object) -> bool:
    return isinstance(value, (DeclaredPath, DataReference, PortDataReference))


@dataclass(frozen=True)
class Fingerprint:
    """A fingerprint with values and data filled in.

    :param values: Plain values, by label; None stands where data stood.
    :param contents: Data, by label.
    """

    values: Mapping[str, Json]
    contents: Mapping[str, StoredContent]

    def inputs(self) -> dict[str, InputKey]:
        """The data as parts of a key."""
        return {label: InputKey(found.digest, found.kind) for label, found in self.contents.items()}

    def listing(self, digest: str) -> Mapping[str, str] | None:
        """The files of data with this digest."""
        found = next((content for content in self.contents.values() if content.digest == digest), None)
        return None if found is None else found.files()


@dataclass(frozen=True)
class FingerprintReader:
    """Reads what a fingerprint stands for.

    :param base: Where relative paths start.
    :param parameters: The run's.
    """

    sensor: str
    base: Path
    workspace: Workspace
    parameters: Mapping[str, Any]

    def read(self, fingerprint: Mapping[str, Any]) -> Fingerprint:
        """Values and data as they are now.

        :param fingerprint: With templates and results of other tasks filled in by Airflow.
        :raises DataNotFoundException: some data is not there.
        :raises UserErrorException: a task gave something that cannot count.
        """
        values: dict[str, Json] = {}
        contents: dict[str, StoredContent] = {}
        for name, value in fingerprint.items():
            label = label_of(name)
            plain = self._plain(label, value, contents)
            if label not in contents:
                values[label] = plain
        return Fingerprint(values, contents)

    def changed(self, fingerprint: Mapping[str, Any], inputs: Mapping[str, InputKey]) -> str | None:
        """The label of data that is no longer what a key says; None if all is.

        :param fingerprint: As it was declared.
        """
        for name, value in fingerprint.items():
            for label, leaf in leaves(label_of(name), value):
                known = inputs.get(label)
                if known is None or not _is_content(leaf):
                    continue
                if self._content(label, leaf).digest != known.digest:
                    return label
        return None

    def _plain(self, label: str, value: Any, contents: dict[str, StoredContent]) -> Json:
        if isinstance(value, PipelineParameter):
            value = self._value_of(value)
        if _is_content(value):
            contents[label] = self._content(label, value)
            return None
        if value is None or isinstance(value, (str, bool, int, float)):
            return canonical.scalar(value, label)
        if isinstance(value, Mapping):
            return {str(key): self._plain(f"{label}[{key!r}]", item, contents) for key, item in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
            return [self._plain(f"{label}[{n}]", item, contents) for n, item in enumerate(value)]
        return self._foreign(label, value)

    def _foreign(self, label: str, value: Any) -> Json:
        """What a template or another task gave, such as a date."""
        try:
            found: Json = canonical.plain(to_plain(value), label)
        except Exception as error:  # serializers of other people's classes raise anything
            raise refused(
                self.sensor,
                "fingerprint",
                f"{label!r} was given a {type(value).__name__} in this run, of which nothing can be told",
                _ALLOWED,
            ) from error
        return found

    def _value_of(self, parameter: PipelineParameter) -> Any:
        value = self.parameters.get(parameter.name, parameter.form_default)
        if not isinstance(parameter.default_value, DataPath):
            return value
        name, slash, path = str(value).partition("/")
        if not slash:
            raise refused(
                self.sensor,
                "fingerprint",
                f"the parameter {parameter.name!r} has the value {value!r}, which is no data path",
                "Write it as datastore/path.",
            )
        return DataReference(Datastore(self.workspace, name or None), None, path)

    def _content(self, label: str, value: Any) -> StoredContent:
        store, path = self._place(value)
        found = content_at(store, path, digest_cache(self.workspace))
        if found is None:
            raise DataNotFoundException(
                f"ReuseSensor {self.sensor!r}, fingerprint {label!r}: there is nothing at {store.url(path)}."
            )
        return found

    def _place(self, value: Any) -> tuple[Store, str]:
        if isinstance(value, DeclaredPath):
            place = self.base / Path(value.path).expanduser()
            return FolderStore(place.parent), place.name
        return value.datastore.store, value.path_on_datastore

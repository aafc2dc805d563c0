"""Which registered models somebody means: by name, version, tags, run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from mlsteps.exceptions import UserErrorException
from mlsteps.records import ModelRecord, RecordStore
from mlsteps.records.models import list_models, versions_of

Wanted = tuple[tuple[str, str | None], ...]
"""Labels by key; None is any value."""


@dataclass(frozen=True)
class ModelFilter:
    """What a model has to be like; None is anything.

    :param tags, properties: Labels that it has to have, of this value or any.
    :param dataset: The name or id of a dataset that it was made with.
    """

    name: str | None = None
    version: int | None = None
    tags: Wanted = ()
    properties: Wanted = ()
    run_id: str | None = None
    framework: str | None = None
    dataset: str | None = None

    def found(self, store: RecordStore, latest: bool = False) -> Iterator[ModelRecord]:
        """The models that fit; of each name the newest first.

        :param latest: Only the newest of each name that fits; older ones are not read.
        """
        models = list_models(store) if self.name is None else [versions_of(store, self.name)]
        for versions in models:
            yield from islice(filter(self._fits, versions), 1 if latest else None)

    def _fits(self, record: ModelRecord) -> bool:
        return (
            self.version in (None, record.model_version)
            and self.run_id in (None, record.run_id, record.dag_run_id)
            and self.framework in (None, record.framework)
            and (self.dataset is None or self.dataset in (dataset for _, dataset in record.datasets))
            and _has(record.tags, self.tags)
            and _has(record.properties, self.properties)
        )


def wanted_labels(argument: str, given: object) -> Wanted:
    """Labels to look for, as SDK v1 takes them: ``["a", ["b", "1"]]``; or by key.

    :raises UserErrorException: they are something else.
    """
    if given is None:
        return ()
    if isinstance(given, Mapping):
        return tuple((str(key), None if value is None else str(value)) for key, value in given.items())
    if isinstance(given, (list, tuple)):
        try:
            return tuple(_label(one) for one in given)
        except ValueError:
            pass
    raise UserErrorException(
        f"Model, argument {argument!r}: expected names, or pairs of name and value, in a list; got {given!r}."
    )


def _label(given: Any) -> tuple[str, str | None]:
    if isinstance(given, str):
        return given, None
    name, value = given
    return str(name), str(value)


def _has(labels: Mapping[str, Any], wanted: Wanted) -> bool:
    return all(key in labels and value in (None, str(labels[key])) for key, value in wanted)

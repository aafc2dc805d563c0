"""AbstractDataset: what datasets of files and of rows have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from mlsteps.data.datasets import registry
from mlsteps.data.datasets.definition import Definition, Filter, Sample, Skip, Take, Transform
from mlsteps.data.datasets.expressions import Expression, column, tree_of
from mlsteps.data.datasets.files import dataset_files
from mlsteps.data.datasets.missing import missing_attribute
from mlsteps.data.datasets.partitions import partition_format
from mlsteps.exceptions import UserErrorException

if TYPE_CHECKING:
    from mlsteps.data.consumption import DatasetConsumptionConfig
    from mlsteps.data.datasets.sources import DatasetWorkspace
    from mlsteps.data.datastore import DatastoreOwner
    from mlsteps.records.datasets import DatasetRecord

D = TypeVar("D", bound="AbstractDataset")


class AbstractDataset:
    """A dataset: a definition that never changes, and perhaps its registration.

    Nothing is read to make one, so it may stand in a DAG file. Equal are datasets with equal definitions,
    registered or not. (SDK v1: ``azureml.data.abstract_dataset.AbstractDataset``.)

    :param definition: What the dataset is.
    :param workspace: Whose datastores it names; None where it names none.
    :param record: Its registration.
    """

    def __init__(
        self,
        definition: Definition,
        workspace: DatastoreOwner | None = None,
        record: DatasetRecord | None = None,
    ) -> None:
        self.definition = definition
        self.workspace = workspace
        self._record = record

    def __repr__(self) -> str:
        registered = f"{self.name!r}, version={self.version}" if self._record else f"id={self.id!r}"
        return f"{type(self).__name__}({registered})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AbstractDataset) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    if not TYPE_CHECKING:  # a type checker should go on to report unknown attributes

        def __getattr__(self, name: str) -> NoReturn:
            raise missing_attribute(type(self).__name__, name)

    def __getitem__(self, name: str) -> Expression:
        """A column, for the conditions of :meth:`filter`."""
        if not isinstance(name, str):
            raise UserErrorException(
                f"dataset[...] takes the name of one column, got {name!r}; keep_columns() takes several."
            )
        return column(name)

    def __iter__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is not iterable: read it first.")

    # What it is called

    @property
    def id(self) -> str:
        """A UUID made from the definition; ``Dataset.get_by_id`` finds what is registered by it."""
        return self.definition.id

    @property
    def name(self) -> str | None:
        """The registered name, or None."""
        return self._record.name if self._record else None

    @property
    def version(self) -> int | None:
        """The registered version, or None."""
        return self._record.dataset_version if self._record else None

    @property
    def description(self) -> str | None:
        """What the registration says about it."""
        return self._record.description if self._record else None

    @property
    def tags(self) -> dict[str, str]:
        """The registration's tags, as a copy."""
        return dict(self._record.tags) if self._record else {}

    # The registry

    @staticmethod
    def get_by_name(
        workspace: DatasetWorkspace, name: str, version: int | str = "latest", **kwargs: Any
    ) -> Any:
        """The registered dataset called ``name``.

        :param version: A number, or ``latest``.
        :raises UserErrorException: there is none; the text says which there are.
        """
        return registry.by_name(workspace, name, version)

    @staticmethod
    def get_by_id(workspace: DatasetWorkspace, id: str, **kwargs: Any) -> Any:
        """The dataset with this id, which was registered or used in a step.

        :raises UserErrorException: there is none; the text says which are registered.
        """
        return registry.by_id(workspace, id)

    @staticmethod
    def get_all(workspace: DatasetWorkspace) -> dict[str, Any]:
        """The newest version of every registered dataset, by name."""
        return registry.all_datasets(workspace)

    def register(
        self: D,
        workspace: DatasetWorkspace,
        name: str,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        create_new_version: bool = False,
    ) -> D:
        """Give the definition a name in the workspace's registry; no data is copied.

        Is the newest version of ``name`` this very definition, that version is returned, with the
        description and tags that are given here.

        :param create_new_version: Whether another definition may become the next version of ``name``.
        :raises UserErrorException: ``name`` is taken by another definition.
        :returns: The registered dataset; this one stays as it is.
        """
        return registry.register(self, workspace, name, description, tags, create_new_version)

    def unregister_all_versions(self) -> None:
        """Forget every version of this dataset's name. The data stays."""
        registry.unregister(self.workspace, self._registered("unregister_all_versions"))
        self._record = None

    def add_tags(self: D, tags: Mapping[str, str] | None = None) -> D:
        """Add tags to the registration, replacing those of the same name."""
        return self._update("add_tags", None, {**self.tags, **registry.as_tags(tags or {})})

    def remove_tags(self: D, tags: Iterable[str] | None = None) -> D:
        """Take tags off the registration; those that it does not have are no error."""
        gone = set(tags or ())
        return self._update("remove_tags", None, {k: v for k, v in self.tags.items() if k not in gone})

    def update(self: D, description: str | None = None, tags: Mapping[str, str] | None = None) -> D:
        """Change the registration's description, and replace its tags; None leaves them."""
        return self._update("update", description, None if tags is None else registry.as_tags(tags))

    def _update(self: D, what: str, description: str | None, tags: Mapping[str, str] | None) -> D:
        record = self._registered(what)
        self._record = registry.update(self.workspace, record, description, tags)
        return self

    def _registered(self, what: str) -> DatasetRecord:
        if self._record is None:
            raise UserErrorException(f"{what}: the dataset is not registered; register() it first.")
        return self._record

    # In a pipeline

    def as_named_input(self, name: str) -> DatasetConsumptionConfig:
        """This dataset as an input of a step, called ``name``: letters, digits, underscores."""
        from mlsteps.data.consumption import DatasetConsumptionConfig

        return DatasetConsumptionConfig(name, self)

    # Partitions

    @property
    def partition_keys(self) -> list[str]:
        """The columns that ``partition_format`` reads off the paths."""
        text = self.definition.partition_format
        return [] if text is None else list(partition_format(text).columns)

    def get_partition_key_values(self, partition_keys: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """The distinct values of partition columns, sorted as their files are. Lists the files.

        :param partition_keys: Some of :attr:`partition_keys`; default: all.
        """
        keys = self.partition_keys if partition_keys is None else list(partition_keys)
        for key in keys:
            if key not in self.partition_keys:
                raise UserErrorException(
                    f"get_partition_key_values: {key!r} is no partition column; the dataset has "
                    f"{', '.join(self.partition_keys) or 'none: pass partition_format when it is made'}."
                )
        if not keys:
            return []
        files = dataset_files(self.definition, self.workspace)
        distinct = dict.fromkeys(tuple(file.values[key] for key in keys) for file in files)
        return [dict(zip(keys, values, strict=True)) for values in distinct]

    # Subsets

    def skip(self: D, count: int) -> D:
        """Without the first ``count`` files or rows."""
        return self._then(Skip(_count(count, "skip")))

    def take(self: D, count: int) -> D:
        """Only the first ``count`` files or rows."""
        return self._then(Take(_count(count, "take")))

    def take_sample(self: D, probability: float, seed: int | None = None) -> D:
        """Each file or row with the same probability, between 0 and 1.

        :param seed: Another seed is another sample. Default: one made from the definition, so that a DAG
            file means the same data each time it is read. (SDK v1 draws one.)
        """
        return self._then(self._sample(probability, seed, "take_sample", "probability"))

    def random_split(self: D, percentage: float, seed: int | None = None) -> tuple[D, D]:
        """Two datasets that share no file or row: about this part of them, between 0 and 1, and the rest.

        :param seed: As of :meth:`take_sample`.
        """
        sample = self._sample(percentage, seed, "random_split", "percentage")
        return self._then(sample), self._then(replace(sample, rest=True))

    def filter(self: D, expression: Expression) -> D:
        """Only the files or rows for which a condition is true, such as ``dataset['age'] > 3``.

        Conditions are combined with ``&``, ``|`` and ``~``, each in parentheses.
        """
        return self._then(Filter(tree_of(expression, "filter")))

    def _sample(self, probability: float, seed: int | None, what: str, argument: str) -> Sample:
        given: object = probability
        if not isinstance(given, (int, float)) or not 0 < given < 1:
            raise UserErrorException(f"{what}: {argument} must lie between 0 and 1, got {given!r}.")
        number: object = seed
        if number is not None and not isinstance(number, int):
            raise UserErrorException(f"{what}: seed must be an int, got {number!r}.")
        return Sample(float(probability), int(self.id[:8], 16) if seed is None else seed)

    def _then(self: D, transform: Transform) -> D:
        transforms = (*self.definition.transforms, transform)
        return type(self)(replace(self.definition, transforms=transforms), self.workspace)


def _count(count: object, what: str) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise UserErrorException(f"{what}: count must be an int that is not negative, got {count!r}.")
    return count

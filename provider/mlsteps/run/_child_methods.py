"""The part of ``Run`` that starts child runs: parts of a script with metrics, tags and files of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlsteps.exceptions import UserErrorException
from mlsteps.run._core import RunCore
from mlsteps.run.labels import as_tags
from mlsteps.run.protocol import PARENT, SELF, EventKind

if TYPE_CHECKING:
    from mlsteps.run.run import Run

_MOST_CHILDREN = 100
_NUMBER_TAG = "azureml.batch_child_number"


class ChildMethods(RunCore):
    """``child_run``, ``create_children`` and ``get_children`` of SDK v1's Run."""

    def child_run(self, name: str | None = None, run_id: str | None = None, outputs: Any = None) -> Run:
        """Start a child run.

        Args:
            name: default its id.
            run_id: default this run's id and eight random digits.
            outputs: accepted for SDK v1's sake; a child has the files uploaded to it.

        Raises:
            UserErrorException: ``run_id`` is taken.
        """
        return self._start_child(name, run_id, {})

    def create_children(
        self, count: int | None = None, tag_key: str | None = None, tag_values: Sequence[Any] | None = None
    ) -> list[Run]:
        """Start several child runs: ``count`` of them, or one for each tag value, tagged with it.

        Args:
            count: how many.
            tag_key: the tag that tells the runs apart.
            tag_values: its value for each run.

        Raises:
            UserErrorException: neither or both ways are used, or more than 100 children are asked for.
        """
        if (count is None) == (tag_key is None) or (tag_key is None) != (tag_values is None):
            raise UserErrorException("create_children() takes either count, or tag_key and tag_values.")
        marks = list(range(count or 0)) if tag_values is None else list(tag_values)
        if len(marks) > _MOST_CHILDREN:
            raise UserErrorException(f"create_children() starts at most {_MOST_CHILDREN} runs.")
        return [self._start_child(None, None, {tag_key or _NUMBER_TAG: mark}) for mark in marks]

    def get_children(
        self,
        recursive: bool = False,
        tags: Mapping[str, Any] | str | None = None,
        properties: Mapping[str, Any] | str | None = None,
        type: str | None = None,
        status: str | None = None,
    ) -> Iterator[Run]:
        """The child runs that this script started, newest first as in SDK v1.

        Args:
            recursive: also the children's children.
            tags: only runs with these tags: a dict, or the key alone.
            properties: only runs with these properties, likewise.
            type: only runs of this ``type``.
            status: only runs of this ``status``.
        """
        runs = self._descendants() if recursive else self._children()
        for run in reversed(runs):
            if (
                _has(run.get_tags(), tags)
                and _has(run.get_properties(), properties)
                and type in (None, run.type)
                and status in (None, run.get_status())
            ):
                yield run

    def _start_child(self, name: str | None, run_id: str | None, tags: Mapping[str, object]) -> Run:
        child = f"{self._identity.id}_{os.urandom(4).hex()}" if run_id is None else str(run_id)
        taken = {event["child"] for event in self._log.events() if event["event"] == EventKind.CHILD}
        if not child or child in taken | {SELF, PARENT, self._identity.id}:
            raise UserErrorException(f"A run with the id {child!r} exists already. Choose another run_id.")
        kept = as_tags(tags)
        self._record(EventKind.CHILD, child=child, name=name or child, tags=kept)
        run: Run = self._open_child(child, name or child, kept)
        return run

    def _children(self) -> list[Run]:
        return [
            self._open_child(event["child"], event["name"], event["tags"])
            for event in self._recorded(EventKind.CHILD)
        ]

    def _descendants(self) -> list[Run]:
        return [run for child in self._children() for run in (child, *child._descendants())]

    def _with_descendants(self) -> Iterator[Any]:
        yield self
        yield from self._descendants()


def _has(labels: Mapping[str, str | None], wanted: Mapping[str, Any] | str | None) -> bool:
    if wanted is None:
        return True
    if isinstance(wanted, str):
        return wanted in labels
    return all(key in labels and labels[key] == value for key, value in as_tags(wanted).items())

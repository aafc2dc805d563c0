"""The part of ``Run`` that logs metrics and reads them back."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from types import FunctionType, GeneratorType
from typing import Any

from mlsteps.exceptions import UserErrorException
from mlsteps.run import values
from mlsteps.run._core import RunCore
from mlsteps.run.metrics import aggregate
from mlsteps.run.protocol import EventKind, MetricKind

_GENERATOR_FUNCTION = 0x20  # inspect.CO_GENERATOR; inspect costs too much to import for it


class MetricMethods(RunCore):
    """``log*`` and ``get_metrics`` of SDK v1's Run."""

    def log(self, name: str, value: Any, description: str = "", step: int | None = None) -> None:
        """Log one value of a metric; logged again under the same name, the values make a list.

        Args:
            name: the metric.
            value: a number, text, bool or None, also of numpy or a tensor of one element. Anything else is
                kept as its text, with a warning.
            description: for the reader.
            step: the value's place on the metric's axis, such as an epoch.

        Raises:
            UserErrorException: ``value`` is a list, range or generator.
        """
        generator = isinstance(value, FunctionType) and bool(value.__code__.co_flags & _GENERATOR_FUNCTION)
        if generator or isinstance(value, (list, range, GeneratorType)):
            raise UserErrorException(
                f"Metric {name!r}: log() takes one value, not a {type(value).__name__}. Use log_list()."
            )
        place = {} if step is None else {"step": values.to_scalar(step).value}
        self._metric(MetricKind.SCALAR, name, _cells(name, [value])[0], description, **place)

    def log_list(self, name: str, value: Any, description: str = "") -> None:
        """Log several values of a metric at once: a list, tuple, range, generator, array or series.

        Raises:
            UserErrorException: ``value`` has no items to take.
        """
        items = values.to_list(value)
        if items is None:
            raise UserErrorException(
                f"Metric {name!r}: log_list() takes a list, not a {type(value).__name__}. Use log()."
            )
        self._metric(MetricKind.LIST, name, _cells(name, items), description)

    def log_row(self, name: str, description: str | None = None, **kwargs: Any) -> None:
        """Log one row of a table, its columns given by keyword; rows of one name make one table.

        Raises:
            UserErrorException: there is no column, or a column is a list.
        """
        if not kwargs:
            raise UserErrorException(f"Metric {name!r}: log_row() needs columns, such as x=1, y=2.")
        for column, cell in kwargs.items():
            if isinstance(cell, (list, tuple, range, Mapping)):
                raise UserErrorException(
                    f"Metric {name!r}, column {column!r}: log_row() takes one value for a column, not a "
                    f"{type(cell).__name__}. Use log_table() for several rows."
                )
        cells = _cells(name, list(kwargs.values()))
        self._metric(MetricKind.ROW, name, dict(zip(kwargs, cells)), description)

    def log_table(self, name: str, value: Mapping[str, Any], description: str = "") -> None:
        """Log a table at once: a dict of columns, all lists of one length or all single values.

        Raises:
            UserErrorException: not a dict, no columns, or columns of different lengths.
        """
        if not isinstance(value, Mapping) or not value:  # type: ignore[redundant-expr]
            raise UserErrorException(f"Metric {name!r}: log_table() takes a dict of columns.")
        columns = {str(column): values.to_list(cells) for column, cells in value.items()}
        listed = {column: _cells(name, cells) for column, cells in columns.items() if cells is not None}
        if not listed:
            row = _cells(name, list(value.values()))
            self._metric(MetricKind.ROW, name, dict(zip(columns, row)), description)
            return
        lengths = {column: len(cells) for column, cells in listed.items()}
        if len(listed) < len(columns) or len(set(lengths.values())) > 1:
            single = {column: "no list" for column in columns if column not in listed}
            raise UserErrorException(
                f"Metric {name!r}: columns need one length, these have {dict(lengths, **single)}."
            )
        self._metric(MetricKind.TABLE, name, listed, description)

    def log_image(
        self, name: str, path: str | os.PathLike[str] | None = None, plot: Any = None, description: str = ""
    ) -> None:
        """Log an image: a file, or a plot (anything with ``savefig``: ``matplotlib.pyplot`` or a figure).

        It is uploaded as ``<name>_<timestamp>.png`` (a file keeps its own ending), and ``get_metrics`` gives
        that name.

        Raises:
            UserErrorException: both or neither of ``path`` and ``plot`` are given, or ``path`` is not a file.
        """
        if (path is None) == (plot is None):
            raise UserErrorException(f"Image {name!r}: log_image() takes either path= or plot=.")
        self._metric(MetricKind.IMAGE, name, self._upload_image(name, path, plot), description)

    def log_confusion_matrix(self, name: str, value: dict[str, Any] | str, description: str = "") -> None:
        """Log a confusion matrix, as the dict that SDK v1 describes or its JSON text.

        Raises:
            UserErrorException: ``value`` is neither.
        """
        self._metric(MetricKind.CONFUSION_MATRIX, name, _chart(name, value), description)

    def log_accuracy_table(self, name: str, value: dict[str, Any] | str, description: str = "") -> None:
        """Log an accuracy table; value and errors as of ``log_confusion_matrix``."""
        self._metric(MetricKind.ACCURACY_TABLE, name, _chart(name, value), description)

    def log_residuals(self, name: str, value: dict[str, Any] | str, description: str = "") -> None:
        """Log a histogram of residuals; value and errors as of ``log_confusion_matrix``."""
        self._metric(MetricKind.RESIDUALS, name, _chart(name, value), description)

    def log_predictions(self, name: str, value: dict[str, Any] | str, description: str = "") -> None:
        """Log binned predictions; value and errors as of ``log_confusion_matrix``."""
        self._metric(MetricKind.PREDICTIONS, name, _chart(name, value), description)

    def get_metrics(
        self,
        name: str | None = None,
        recursive: bool = False,
        run_type: str | None = None,
        populate: bool = False,
    ) -> dict[str, Any]:
        """The metrics logged so far, by any process of this script; of the parent also by earlier steps.

        Args:
            name: only this metric.
            recursive: also those of child runs, as {run id: metrics} of the runs that have any.
            run_type: with ``recursive``, only runs of this ``type``.
            populate: accepted for SDK v1's sake; nothing is remote here.

        Returns:
            {name: value}; see ``mlsteps.run.metrics.aggregate`` for the shapes.
        """
        if not recursive:
            return self._own_metrics(name)
        metrics = {}
        for run in self._with_descendants():
            if run_type in (None, run._identity.type):
                metrics[run._identity.id] = run._own_metrics(name)
        return {run_id: found for run_id, found in metrics.items() if found}

    def _own_metrics(self, name: str | None) -> dict[str, Any]:
        metrics = aggregate([*self._identity.metrics, *self._recorded(EventKind.METRIC)])
        return metrics if name is None else {key: value for key, value in metrics.items() if key == name}

    def _metric(self, kind: str, name: str, value: Any, description: str | None, **fields: Any) -> None:
        if description:
            fields["description"] = str(description)
        self._record(EventKind.METRIC, name=str(name), kind=kind, value=value, **fields)


def _cells(name: str, items: list[Any]) -> list[values.Scalar]:
    converted = [values.to_scalar(item) for item in items]
    odd = next((item for item, cell in zip(items, converted) if not cell.faithful), None)
    if odd is not None:
        warnings.warn(
            f"Metric {name!r}: a {type(odd).__name__} is no number, text or bool; its text was logged",
            stacklevel=3,  # the line of the script
        )
    return [cell.value for cell in converted]


def _chart(name: str, value: dict[str, Any] | str) -> Any:
    if isinstance(value, (str, bytes)):
        import json

        try:
            value = json.loads(value)
        except ValueError as error:
            raise UserErrorException(f"Metric {name!r}: the text is not JSON ({error}).") from error
    if not isinstance(value, Mapping):
        raise UserErrorException(f"Metric {name!r}: a dict or its JSON text is needed.")
    return values.to_json(value)

"""Pipeline parameters inside texts of a declaration: paths, and names of datasets and compute targets.

``f"{customer}/{version}/train"`` holds a token for each parameter; arguments and environment variables, which
have tokens too, are the script's and stand elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from mlsteps.compute.tokens import substitute
from mlsteps.data import DataReference, DatasetConsumptionConfig, OutputFileDatasetConfig, SqlDataReference
from mlsteps.data.stores.base import clean_path
from mlsteps.exceptions import StepDefinitionError, UserErrorException

if TYPE_CHECKING:
    from mlsteps.steps.ports import InputPort, OutputPort

_TOKEN = re.compile(r"\$AML_PARAMETER_\w+", re.ASCII)


def holds_parameter(text: str) -> bool:
    """Whether a text has other values in other runs."""
    return _TOKEN.search(text) is not None


def check_texts(step: str, texts: Iterable[tuple[str, str]], tokens: Iterable[str]) -> None:
    """Refuse a text with a parameter that the step does not know, as its default would be unknown too.

    :param texts: Arguments of the step, and their texts.
    :param tokens: Of the parameters that it knows.
    :raises StepDefinitionError: naming the parameter.
    """
    known = tuple(tokens)
    for argument, text in texts:
        for found in _TOKEN.findall(text):
            if not found.startswith(known):
                name = found.removeprefix("$AML_PARAMETER_")
                raise StepDefinitionError(
                    step,
                    argument,
                    f"{text!r} holds the pipeline parameter {name!r}, which the step does not know otherwise",
                    "List it too: pipeline_parameters=[parameter].",
                )


def texts_of_data(inputs: Iterable[InputPort], outputs: Iterable[OutputPort]) -> Iterator[tuple[str, str]]:
    """The texts of a step's data that may hold parameters."""
    for port in inputs:
        source = port.source
        if isinstance(source, DataReference) and not isinstance(source, SqlDataReference):
            yield "inputs", source.path_on_datastore
        elif isinstance(source, DatasetConsumptionConfig) and isinstance(source.dataset, tuple):
            yield "inputs", str(source.dataset[1])
    for made in outputs:
        if isinstance(made.data, OutputFileDatasetConfig):
            yield "outputs", made.data.path
            if made.registration is not None:
                yield "outputs", made.registration.name


def filled(text: str, values: Mapping[str, str]) -> str:
    """A text with the values of a run."""
    return substitute(text, values) if holds_parameter(text) else text


def filled_path(step: str, argument: str, path: str, values: Mapping[str, str]) -> str:
    """A path on a datastore with the values of a run.

    :raises StepDefinitionError: with these values it leaves the datastore, or is no path.
    """
    if not holds_parameter(path):
        return path
    try:
        return clean_path(substitute(path, values), "the path")
    except UserErrorException as error:
        raise StepDefinitionError(step, argument, str(error), "Choose other values.") from None

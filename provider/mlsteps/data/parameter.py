"""PipelineParameter: a value that whoever triggers the pipeline may change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlsteps.data.names import environment_variable, is_text
from mlsteps.data.parameter_limits import ParameterLimits
from mlsteps.exceptions import PipelineParameterError

if TYPE_CHECKING:
    from mlsteps.data.datasets import AbstractDataset
    from mlsteps.data.reference import DataPath

_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


class PipelineParameter:
    """A named value of a pipeline, with a default; a field of the DAG's trigger form.

    :param name: The name in the trigger form, the REST call and ``pipeline_parameters=``.
    :param default_value: A str, int, float, bool, :class:`~mlsteps.DataPath`, FileDataset or TabularDataset.
        Its type is the parameter's type. Another dataset is given as ``name`` or ``name:version``.
    :param in_fingerprint: Whether another value is a change that a step has to run again for. False is for
        what does not touch results: a build number, a run's name. (Not in SDK v1.)
    :param title: For the form; default: the name. (Not in SDK v1.)
    :param description: For the form, as Markdown. (Not in SDK v1.)
    :param choices: The only values there are, of the default's type; the form shows a list. (Not in SDK v1.)
    :param minimum: The least number there is. (Not in SDK v1.)
    :param maximum: The greatest number there is. (Not in SDK v1.)

    :raises PipelineParameterError: the default is of no such type, or does not keep to what was declared.

    The script gets the value as text, in its arguments and in the environment variable
    ``AML_PARAMETER_<name>``.
    (SDK v1: ``azureml.pipeline.core.PipelineParameter``.)
    """

    def __init__(
        self,
        name: str,
        default_value: str | int | float | bool | DataPath | AbstractDataset,
        *,
        in_fingerprint: bool = True,
        title: str | None = None,
        description: str | None = None,
        choices: Sequence[str | int | float] | None = None,
        minimum: int | float | None = None,
        maximum: int | float | None = None,
    ) -> None:
        from mlsteps.data.consumption import is_dataset
        from mlsteps.data.reference import DataPath

        if not is_text(name):
            raise PipelineParameterError(f"A PipelineParameter needs a name, got {name!r}.")
        is_value = type(default_value) in _JSON_TYPES or isinstance(default_value, DataPath)
        if not is_value and not is_dataset(default_value):
            raise PipelineParameterError(
                f"PipelineParameter {name!r}: the default must be a str, int, float, bool, DataPath or "
                f"dataset, got {type(default_value).__name__}."
            )
        self.name = name
        self.default_value = default_value
        self.in_fingerprint = in_fingerprint
        self.title, self.description = title, description
        try:
            self.limits = ParameterLimits.of(default_value, choices, minimum, maximum)
        except ValueError as error:
            raise PipelineParameterError(f"PipelineParameter {name!r}: {error}.") from None

    def __repr__(self) -> str:
        return f"PipelineParameter(name={self.name!r}, default_value={self.default_value!r})"

    def __str__(self) -> str:
        # What arguments are searched for, so that a parameter can stand inside a longer string.
        return f"$AML_PARAMETER_{environment_variable(self.name)}"

    def serialize(self) -> str:
        """The text that Airflow's Rendered Templates view shows."""
        return str(self)

    @property
    def choices(self) -> tuple[str | int | float, ...] | None:
        """The only values there are; None is any."""
        return self.limits.choices

    @property
    def minimum(self) -> int | float | None:
        """The least value."""
        return self.limits.minimum

    @property
    def maximum(self) -> int | float | None:
        """The greatest value."""
        return self.limits.maximum

    @property
    def json_type(self) -> str:
        """The JSON schema type of the form field; a DataPath is written ``datastore/path``."""
        return _JSON_TYPES.get(type(self.default_value), "string")

    @property
    def form_default(self) -> str | int | float | bool:
        """The default as the form shows it."""
        from mlsteps.data.reference import DataPath

        if isinstance(self.default_value, (bool, int, float, str)):
            return self.default_value
        if isinstance(self.default_value, DataPath):
            return str(self.default_value)
        named = self.default_value
        return f"{named.name}:{named.version}" if named.name else named.id

    def same_default(self, other: PipelineParameter) -> bool:
        """Whether two parameters of one name agree; 1 and True do not."""
        return (
            type(self.default_value) is type(other.default_value) and self.form_default == other.form_default
        )

    def check(self, value: Any) -> Any:
        """``value`` if it has exactly the declared type (SDK v1 rule) and keeps to the limits, as JSON.

        :raises PipelineParameterError: the type differs; an int is not taken for a float, nor a bool for
            an int. Or it is none of the choices, too little or too much.
        """
        plain = type(self.default_value) in _JSON_TYPES
        if type(value) is type(self.default_value):
            problem = self.limits.problem(value)
            if problem is not None:
                raise PipelineParameterError(f"Pipeline parameter {self.name!r}: {value!r} {problem}.")
            return value if plain else PipelineParameter(self.name, value).form_default
        if not plain and isinstance(value, str):
            return value
        raise PipelineParameterError(
            f"Pipeline parameter {self.name!r} must be {type(self.default_value).__name__} like its default "
            f"{self.default_value!r}, got {type(value).__name__} {value!r}."
        )

    def from_text(self, text: str) -> Any:
        """A value typed on a command line, turned into the declared type.

        :raises PipelineParameterError: the text is no such value.
        """
        kind = type(self.default_value)
        try:
            if kind is bool:
                return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[
                    text.strip().lower()
                ]
            if kind in (int, float):
                return kind(text)
        except (KeyError, ValueError):
            raise PipelineParameterError(
                f"Pipeline parameter {self.name!r} must be {kind.__name__}, got the text {text!r}."
            ) from None
        return text

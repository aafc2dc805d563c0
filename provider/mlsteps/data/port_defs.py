"""What a module declares of itself: the data that it reads and makes, and its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from mlsteps.data.names import check_port_name, is_text
from mlsteps.exceptions import UserErrorException

T = TypeVar("T", bound="_Plain")


@dataclass(frozen=True)
class _Plain:
    """Written and read field by field."""

    def to_plain(self) -> dict[str, Any]:
        """As JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_plain(cls: type[T], plain: object) -> T:
        """What was written.

        :raises UserErrorException: it is something else.
        """
        known = {field.name for field in fields(cls)}
        if not isinstance(plain, Mapping) or not set(plain) <= known:
            raise UserErrorException(f"Expected the fields of one {cls.__name__}, found {plain!r}.")
        return cls(**plain)


@dataclass(frozen=True)
class InputPortDef(_Plain):
    """An input that a module declares.

    :param name: The port's name: letters, digits, underscores.
    :param data_types: Accepted for SDK v1; not used.
    :param default_datastore_mode: ``mount`` (default) or ``download``, for data whose mode nobody has said.
    :param default_path_on_compute: Where the data then stands for the script; it is a download.
    :param is_optional: Whether a step may leave it out; its path is an empty text then.
    :param default_overwrite: Accepted for SDK v1; not used.
    :param default_data_reference_name: Accepted for SDK v1; not used.
    :param is_resource: Accepted for SDK v1; not used.
    :param label: For people.
    :param additional_transformations: Accepted for SDK v1; not used.

    (SDK v1: ``azureml.pipeline.core.graph.InputPortDef``.)
    """

    name: str
    data_types: Sequence[Any] | None = None
    default_datastore_mode: str | None = None
    default_path_on_compute: str | None = None
    is_optional: bool = False
    default_overwrite: bool | None = None
    default_data_reference_name: str | None = None
    is_resource: bool = False
    label: str | None = None
    additional_transformations: Any = None

    def __post_init__(self) -> None:
        check_port_name(self.name, "InputPortDef")
        _check_mode(self, self.default_datastore_mode, ("mount", "download", "direct"))

    def to_plain(self) -> dict[str, Any]:
        """As JSON, without what is not used."""
        return {**super().to_plain(), "data_types": None, "additional_transformations": None}


@dataclass(frozen=True)
class OutputPortDef(_Plain):
    """An output that a module declares.

    :param name: The port's name: letters, digits, underscores.
    :param default_datastore_name: Where it is kept if a step does not say what becomes of it.
    :param default_datastore_mode: ``mount`` (default) or ``upload``, in that case.
    :param default_path_on_compute: Where the script writes it in the mode ``upload``.
    :param is_directory: Whether the script makes a folder.
    :param data_type: Accepted for SDK v1; not used.
    :param default_overwrite: Accepted for SDK v1; each run writes to a place of its own.
    :param training_output: Accepted for SDK v1; not used.
    :param label: For people.

    (SDK v1: ``azureml.pipeline.core.graph.OutputPortDef``.)
    """

    name: str
    default_datastore_name: str | None = None
    default_datastore_mode: str | None = None
    default_path_on_compute: str | None = None
    is_directory: bool = False
    data_type: Any = None
    default_overwrite: bool | None = None
    training_output: Any = None
    label: str | None = None

    def __post_init__(self) -> None:
        check_port_name(self.name, "OutputPortDef")
        _check_mode(self, self.default_datastore_mode, ("mount", "upload"))

    def to_plain(self) -> dict[str, Any]:
        """As JSON, without what is not used."""
        return {**super().to_plain(), "data_type": None, "training_output": None}


@dataclass(frozen=True)
class ParamDef(_Plain):
    """A parameter that a module declares: an environment variable ``AML_PARAMETER_<name>`` of its script.

    :param name: Its name.
    :param default_value: Its value where a step gives none; None is no default.
    :param is_metadata_param: Whether it is for SDK v1's service, and no variable: such as ``Script``.
    :param is_optional: Whether there need be no value.
    :param set_env_var: Accepted for SDK v1; it always is a variable.
    :param calculate_hash: Accepted for SDK v1; its value always counts for reuse.
    :param env_var_override: Accepted for SDK v1; not used.

    (SDK v1: ``azureml.pipeline.core.graph.ParamDef``.)
    """

    name: str
    default_value: Any = None
    is_metadata_param: bool = False
    is_optional: bool = False
    set_env_var: bool = False
    calculate_hash: bool = True
    env_var_override: Any = None

    def __post_init__(self) -> None:
        if not is_text(self.name):
            raise UserErrorException(f"ParamDef: a parameter needs a name, got {self.name!r}.")
        if not isinstance(self.default_value, (str, int, float, bool, type(None))):
            raise UserErrorException(
                f"ParamDef {self.name!r}: the default is a text, a number, True or False; got "
                f"{self.default_value!r}."
            )


def _check_mode(port: InputPortDef | OutputPortDef, mode: str | None, known: tuple[str, ...]) -> None:
    if mode is not None and mode not in known:
        raise UserErrorException(
            f"{type(port).__name__} {port.name!r}: the mode {mode!r} is none of {', '.join(known)}."
        )

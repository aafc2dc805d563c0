"""The conf of a DAG run, made of what an SDK v1 client assigns to parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlsteps.rest.bodies import DataPathAssignment, DatasetAssignment, PipelineSubmission
from mlsteps.rest.errors import RestError
from mlsteps.steps.form import parameter_kind

_WORDS = {"true": True, "false": False}


def values_of(body: PipelineSubmission, params: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Values by parameter.

    :param params: The fields of the DAG's trigger form, as Airflow's API tells them.
    :raises RestError: a parameter is unknown, assigned twice, or the value is of another type.
    """
    kinds = {name: parameter_kind(param.get("schema") or {}) for name, param in params.items()}
    known = {name: kind for name, kind in kinds.items() if kind is not None}
    values: dict[str, Any] = {}
    for field, given, read in (
        ("ParameterAssignments", body.ParameterAssignments, _scalar),
        ("DataPathAssignments", body.DataPathAssignments, _data_path),
        ("DataSetDefinitionValueAssignments", body.DataSetDefinitionValueAssignments, _dataset),
    ):
        for name, value in (given or {}).items():
            target = f"{field}.{name}"
            if name not in known:
                there = ", ".join(sorted(known)) or "no parameters"
                raise RestError(400, f"The pipeline has no parameter {name!r}; it has {there}.", target)
            if name in values:
                raise RestError(400, f"Parameter {name!r} is assigned twice.", target)
            reader: Callable[[str, Any], Any] = read
            try:
                values[name] = reader(known[name], value)
            except ValueError as error:
                raise RestError(400, f"Parameter {name!r}: {error}", target) from None
    return values


def _scalar(kind: str, value: Any) -> Any:
    if kind == "str":
        # As SDK v1's service, which took every value for a text.
        return str(value).lower() if isinstance(value, bool) else str(value)
    if kind in ("bool", "int", "float"):
        return _READERS[kind](value)
    if not isinstance(value, str):
        raise ValueError(f"expected a {kind}, got {value!r}.")
    return value  # a DataPath or a dataset, written as in the form


def _bool(value: Any) -> bool:
    found = _WORDS.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise ValueError(f"expected true or false, got {value!r}.")
    return found


def _int(value: Any) -> int:
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    elif isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"expected a whole number, got {value!r}.")


def _float(value: Any) -> float:
    if not isinstance(value, bool):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            found = float("nan")
        if found - found == 0:  # JSON has no others
            return found
    raise ValueError(f"expected a number, got {value!r}.")


_READERS: Mapping[str, Callable[[Any], Any]] = {"bool": _bool, "int": _int, "float": _float}


def _data_path(kind: str, value: DataPathAssignment) -> str:
    if kind != "DataPath":
        raise ValueError(f"is a {kind}, and no DataPath.")
    return f"{value.DataStoreName}/{(value.RelativePath or '').strip('/')}"


def _dataset(kind: str, value: DatasetAssignment) -> str:
    if kind not in ("FileDataset", "TabularDataset"):
        raise ValueError(f"is a {kind}, and no dataset.")
    if value.SavedDataSetReference is not None:
        return value.SavedDataSetReference.Id
    named = value.DataSetReference
    assert named is not None
    if named.Id:
        return named.Id
    return f"{named.Name}:{named.Version}" if named.Version not in (None, "") else str(named.Name)

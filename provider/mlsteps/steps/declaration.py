"""How a step's class is called: by SDK v1's positional arguments, and again for another DAG."""

from __future__ import annotations

import copy
import functools
import inspect
import os
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any, TypeVar

from airflow.sdk import BaseOperator
from airflow.sdk.bases.operator import BaseOperatorMeta

S = TypeVar("S", bound=BaseOperator)

_CHANGEABLE = frozenset({list, dict, set})


class StepMeta(BaseOperatorMeta):
    """Lets steps be constructed as SDK v1 allows.

    Airflow operators take keyword arguments only and read ``params`` as the DAG's form fields; SDK v1 takes
    the first arguments by position and means environment variables by ``params``. Both are put right before
    Airflow sees the call. What was given is kept, so that a pipeline can make the same step again in a DAG of
    its own: an Airflow operator can belong to one DAG only.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        from_mapped = bool(kwargs.get("_airflow_from_mapped"))
        if not from_mapped:  # Airflow fills params itself when it makes one task of a mapped step
            kwargs = by_keyword(cls, args, kwargs)
        declared = {key: _kept(value) for key, value in kwargs.items() if not key.startswith("_airflow")}
        step = super().__call__(**kwargs)
        if not from_mapped:
            step.enter(declared)
        return step


def by_keyword(cls: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """A call as Airflow wants it: by keyword, and with SDK v1's ``params`` under our name for it."""
    given = dict(kwargs)
    if "params" in given:
        if "script_params" in given:
            raise TypeError(f"{cls.__name__} got the argument 'params' twice, once as 'script_params'.")
        given["script_params"] = given.pop("params")
    if not args:
        return given
    parameters = _positional_parameters(cls)
    if len(args) > len(parameters):
        raise TypeError(
            f"{cls.__name__} takes at most {len(parameters)} arguments by position, got {len(args)}."
        )
    for name, value in zip(parameters, args, strict=False):
        if name in given:
            raise TypeError(f"{cls.__name__} got the argument {name!r} twice.")
        given[name] = value
    return given


@functools.cache
def _positional_parameters(cls: type) -> tuple[str, ...]:
    return tuple(
        name
        for name, parameter in inspect.signature(cls.__init__).parameters.items()  # type: ignore[misc]
        if name != "self" and parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    )


def declaring_file() -> str | None:
    """The file whose code is declaring a step or pipeline; None in a notebook or a shell.

    Relative folders mean folders beside that file: a DAG processor's working directory means nothing.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(("mlsteps.", "airflow.")) and module != "mlsteps":
            file = frame.f_code.co_filename
            return os.path.abspath(file) if os.path.isfile(file) else None
        frame = frame.f_back
    return None


def independent_copy(step: S) -> S:
    """A copy of a step that belongs to no DAG; it has lists and the like of its own."""
    twin = object.__new__(type(step))
    attributes = vars(twin)
    attributes.update(vars(step))
    for name, value in vars(step).items():
        if type(value) in _CHANGEABLE:
            attributes[name] = value.copy()
    attributes["params"] = copy.copy(step.params)
    return twin


def _kept(value: Any) -> Any:
    """``value`` as it is now: a list that the caller goes on using must not change the step."""
    return value.copy() if type(value) in _CHANGEABLE else value

"""How a step's class is called: by SDK v1's positional arguments, and again for another DAG."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseOperator


class StepMeta(type(BaseOperator)):  # type: ignore[misc]
    """Lets steps be constructed as SDK v1 allows.

    Airflow operators take keyword arguments only and read ``params`` as the DAG's form fields; SDK v1 takes the
    first arguments by position and means environment variables by ``params``. Both are put right before Airflow
    sees the call. What was given is kept as ``declared_arguments``, so that a pipeline can make the same step
    again in a DAG of its own: an Airflow operator can belong to one DAG only.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if args:
            kwargs = {**_by_name(cls, args, kwargs), **kwargs}
        if not kwargs.get("_airflow_from_mapped") and "params" in kwargs:
            kwargs["script_params"] = kwargs.pop("params")
        declared = {key: value for key, value in kwargs.items() if not key.startswith("_airflow")}
        step = super().__call__(**kwargs)
        object.__setattr__(step, "declared_arguments", declared)
        return step


def _by_name(cls: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    parameters = [
        name
        for name, parameter in inspect.signature(cls.__init__).parameters.items()  # type: ignore[misc]
        if name != "self" and parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    if len(args) > len(parameters):
        raise TypeError(f"{cls.__name__} takes at most {len(parameters)} arguments by position, got {len(args)}.")
    given = dict(zip(parameters, args, strict=False))
    for name in given:
        if name in kwargs:
            raise TypeError(f"{cls.__name__} got the argument {name!r} twice.")
    return given


def declaring_file() -> str | None:
    """The file whose code is declaring a step or pipeline; None in a notebook or a shell.

    Relative folders mean folders beside that file: a DAG processor's working directory means nothing.
    """
    frame = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(("mlsteps.", "airflow.")) and module != "mlsteps":
            file = frame.f_code.co_filename
            return os.path.abspath(file) if os.path.isfile(file) else None
        frame = frame.f_back  # type: ignore[assignment]
    return None

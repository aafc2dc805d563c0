"""Fields of Airflow's trigger form, made from pipeline parameters."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

from mlsteps.data import PipelineParameter

# JSON schema lets unknown keys pass; this one tells our fields from those a DAG's author declared.
_MARK = "x-pipeline-parameter"


def form_field(parameter: PipelineParameter) -> Param:
    """The form field for a parameter: its type and default as declared."""
    schema: dict[str, Any] = {"type": parameter.json_type, "title": parameter.name, _MARK: True}
    return Param(parameter.form_default, **schema)


def made_from_parameter(field: Param) -> bool:
    """Whether a field was made by :func:`form_field`."""
    return bool(field.schema.get(_MARK))

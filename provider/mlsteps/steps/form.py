"""Fields of Airflow's trigger form, made from pipeline parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param

from mlsteps.data import PipelineParameter
from mlsteps.data.parameter_limits import LIMITS
from mlsteps.exceptions import PipelineParameterError
from mlsteps.steps.parameters import REGENERATE

if TYPE_CHECKING:
    from airflow.sdk import DAG

# JSON schema lets unknown keys pass; this one tells our fields from those a DAG's author declared, and what a
# parameter is where its text in the form does not say it.
_MARK = "x-pipeline-parameter"
_PRESET = "x-preset"
_TEMPLATE = "x-template"
_FILLED_IN = "Unless changed, filled in for each run."
# A datastore's name, or nothing for the workspace's own, and what may follow.
_DATA_PATH = r"^[^/\s]*/"
_KINDS = {"boolean": "bool", "integer": "int", "number": "float", "string": "str"}


def form_field(parameter: PipelineParameter) -> Param:
    """The form field for a parameter: its type and default as declared."""
    kind = type(parameter.default_value).__name__
    schema: dict[str, Any] = {
        "type": parameter.json_type,
        "title": parameter.title or parameter.name,
        **parameter.limits.schema(),
        _MARK: kind,
    }
    if kind == "DataPath":
        schema["pattern"] = _DATA_PATH
    elif parameter.json_type == "string" and kind != "str":
        schema["minLength"] = 1
    elif parameter.default_value == "":
        # With an empty text in a field that may not be null, Airflow's form starts no run.
        schema["type"] = ["string", "null"]
    template = is_template(parameter.form_default)
    if template:
        schema[_TEMPLATE] = parameter.form_default
    told = (parameter.description, _allowed(parameter, kind), _FILLED_IN if template else None)
    description = "  \n".join(filter(None, told))
    if description:
        schema["description_md"] = description
    return Param(parameter.form_default, **schema)


def _allowed(parameter: PipelineParameter, kind: str) -> str | None:
    """What may be written in a field, where it does not show that itself."""
    if kind == "DataPath":
        return "A path on a datastore: datastore/path."
    if parameter.json_type == "string" and kind != "str":
        return "A registered dataset: name or name:version."
    least, most = parameter.minimum, parameter.maximum
    if least is not None and most is not None:
        return f"From {least} to {most}."
    if least is not None:
        return f"At least {least}."
    return f"At most {most}." if most is not None else None


def declared_values(dag: DAG | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a run, of the types that its parameters were declared with; others stay as they are.

    JavaScript has one kind of number: Airflow's form makes 1 of the default 1.0, which scripts would get as
    another text, so that nothing would be reused.
    """
    found = dict(values)
    for name, value in values.items():
        if dag is not None and name in dag.params:
            found[name] = _declared(dag.params.get_param(name).schema.get(_MARK), value)
    return found


def _declared(kind: object, value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "float" and number:
        return float(value)
    if kind == "int" and number:
        return int(value)  # JSON schema lets no others pass than whole ones
    return "" if kind == "str" and value is None else value


def preset_field(parameter: PipelineParameter, value: Any) -> Param:
    """The same with another default, which stays whatever steps declare."""
    field = form_field(parameter)
    template = {_TEMPLATE: value} if is_template(value) else {}
    return Param(value, **{**field.schema, _PRESET: True, **template})


def is_template(value: object) -> bool:
    """Whether Airflow would fill a text in."""
    return isinstance(value, str) and ("{{" in value or "{%" in value or "{#" in value)


def template_of(field: Param) -> str | None:
    """The template that a field's default is. (Airflow may have put another value in its place.)"""
    return field.schema.get(_TEMPLATE)


def regenerate_field(steps: Sequence[str]) -> Param:
    """The form field that makes steps run although nothing changed: off, all, or a list of steps."""
    schema: dict[str, Any] = {_MARK: True}
    return Param(
        [],
        # The form shows the first type, as a list to choose from; REST calls and scripts may say it shorter.
        type=["array", "string", "boolean", "null"],
        title="Regenerate outputs",
        description_md=(
            "Steps to run although nothing changed: names, or `all`. "
            "What is behind such a step runs only if its outputs come out different."
        ),
        examples=["all", *steps],
        section="Reuse",
        **schema,
    )


def made_from_parameter(field: Param) -> bool:
    """Whether a field was made by :func:`form_field`, and has to be what steps declare."""
    return bool(field.schema.get(_MARK)) and not field.schema.get(_PRESET)


def parameter_kind(schema: Mapping[str, Any]) -> str | None:
    """Of which type the parameter behind a form field is, by the name of its class.

    :param schema: The field's JSON schema.
    :returns: ``str``, ``int``, ``float``, ``bool``, ``DataPath``, ``FileDataset``, ``TabularDataset``; None
        if the field is not for a single value.
    """
    if _MARK in schema:
        return schema[_MARK] if isinstance(schema[_MARK], str) else None
    types = schema.get("type")
    kinds = [_KINDS.get(one) for one in ([types] if isinstance(types, str) else types or ()) if one != "null"]
    return kinds[0] if len(kinds) == 1 else None


def add_form_fields(dag: DAG | None, step: str, parameters: Sequence[PipelineParameter]) -> None:
    """Give a DAG a form field for each parameter of a step; a field that its author declared stays.

    :raises PipelineParameterError: another step of the DAG has the parameter with another default.
    """
    if dag is None:
        return
    for parameter in parameters:
        known = dag.params.get_param(parameter.name) if parameter.name in dag.params else None
        if known is None:
            dag.params[parameter.name] = form_field(parameter)
        elif not made_from_parameter(known):
            continue
        elif type(known.value) is not type(parameter.form_default) or known.value != parameter.form_default:
            raise PipelineParameterError(
                f"Step {step!r}: the pipeline parameter {parameter.name!r} has the default "
                f"{parameter.default_value!r} here and {known.value!r} in another step of DAG {dag.dag_id!r}."
            )
        elif any(known.schema.get(name) != parameter.limits.schema().get(name) for name in LIMITS):
            raise PipelineParameterError(
                f"Step {step!r}: the pipeline parameter {parameter.name!r} has other choices, minimum or "
                f"maximum here than in another step of DAG {dag.dag_id!r}. Use one object for both."
            )


def offer_regeneration(dag: DAG | None, names: Callable[[DAG], Iterable[str]]) -> None:
    """Let whoever triggers a DAG choose steps to run although nothing changed; a field of its author's stays.

    To be called when the DAG is complete: Airflow copies all fields that there are into each task it makes.

    :param names: Of everything that can be chosen.
    """
    if dag is not None and REGENERATE not in dag.params:
        dag.params[REGENERATE] = regenerate_field(list(dict.fromkeys(names(dag))))

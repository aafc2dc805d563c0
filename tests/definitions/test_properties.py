"""Whatever steps hold, a definition gives it back: found by trying."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from definitions.conftest import again, key_of, shape
from mlsteps import (
    DataPath,
    Datastore,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    PipelineParameter,
)
from mlsteps.definitions import parse
from mlsteps.exceptions import MlstepsException
from steps.project import Project

texts = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="${}"), max_size=8)
names = st.text("abcXYZ_01", min_size=1, max_size=6)
scalars = st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), texts, st.booleans())
plain = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3), st.tuples(inner, inner)
    ),
    max_leaves=8,
)
defaults = st.one_of(st.integers(), st.floats(allow_nan=False), texts, st.booleans())
own = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def pipelines(draw: st.DrawFn, project: Project) -> Pipeline:
    """A few steps that read what earlier ones make, with arguments, parameters and Airflow's own settings."""
    store = draw(st.sampled_from([None, Datastore(project.workspace), Datastore(project.workspace, "other")]))
    made: list[Any] = []
    steps: list[Any] = []
    parameters = [
        PipelineParameter(f"p{number}", default, in_fingerprint=draw(st.booleans()))
        for number, default in enumerate(draw(st.lists(defaults, max_size=3)))
    ]
    parameters.append(PipelineParameter("path", DataPath(Datastore(project.workspace), "a b", None)))
    for number in range(draw(st.integers(1, 4))):
        read = [one for one in made if draw(st.booleans())]
        inputs = [draw(st.sampled_from(_ways(one, f"in{number}_{i}"))) for i, one in enumerate(read)]
        out: Any = PipelineData(f"d{number}", store, is_directory=draw(st.sampled_from([None, True, False])))
        if draw(st.booleans()):
            out = OutputFileDatasetConfig(f"o{number}")
            if draw(st.booleans()):
                out = out.as_upload(draw(st.booleans()), draw(st.sampled_from([None, ["*.csv"]])))
        made.append(out)
        usable: list[Any] = [*inputs, out, *draw(st.lists(scalars, max_size=3)), *parameters[:-1]]
        step = project.step(
            f"step {number}",
            inputs=inputs,
            outputs=[out],
            arguments=draw(st.lists(st.sampled_from(usable), max_size=5)),
            params=draw(st.dictionaries(names.map(lambda n: f"v{n}"), texts, max_size=2)),
            allow_reuse=draw(st.booleans()),
            version=draw(st.one_of(st.none(), texts)),
            executor_config=draw(st.dictionaries(names, plain, max_size=2)),
            retry_delay=timedelta(seconds=draw(st.integers(0, 10**6))),
        )
        if steps and draw(st.booleans()):
            step.run_after(draw(st.sampled_from(steps)))
        steps.append(step)
    return Pipeline(project.workspace, draw(st.permutations(steps)), draw(texts), store)


def _ways(data: Any, name: str) -> list[Any]:
    if isinstance(data, PipelineData):
        return [data, data.as_input(name), data.as_download(name), data.as_dataset().as_named_input(name)]
    return [data, data.as_input(name), data.as_input(name).as_download()]


@given(st.data())
@own
def test_graph_arguments_and_keys_come_back(project: Project, data: st.DataObject) -> None:
    try:
        pipeline = data.draw(pipelines(project))
    except MlstepsException:
        return  # what cannot be declared cannot be published
    made = again(pipeline)
    assert shape(made) == shape(pipeline)
    assert made.definition().text == pipeline.definition().text
    for mine, theirs in zip(made.graph.steps, pipeline.graph.steps, strict=True):
        assert mine.arguments == theirs.arguments
        assert mine.script_params == theirs.script_params
        assert [port.name for port in mine.input_ports] == [port.name for port in theirs.input_ports]
        assert mine.executor_config == theirs.executor_config
        assert mine.retry_delay == theirs.retry_delay
        if not theirs.input_ports:
            assert key_of(made, mine.name) == key_of(pipeline, theirs.name)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A definition as JSON that has a bit of everything."""
    with pytest.MonkeyPatch.context() as patch:
        project = Project(tmp_path_factory.mktemp("document"), patch)
        out, rate = PipelineData("out"), PipelineParameter("rate", 0.5)
        made = project.step("made", outputs=[out], arguments=["--rate", rate, out], retries=1)
        used = project.step("used", inputs=[out.as_input("x")])
        used.run_after(made)
        return json.loads(Pipeline(project.workspace, [used], "d").definition().text)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        found += _places(child, (*path, key))
    return found


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


@given(st.data())
@own
def test_what_somebody_changed_is_an_error_of_ours_or_a_pipeline(
    project: Project, document: Any, data: st.DataObject
) -> None:
    """Never a stray exception, whatever is missing, added, or of another type."""
    changed = json.loads(json.dumps(document))
    path = data.draw(st.sampled_from(_places(changed)))
    holder = _at(changed, path[:-1])
    how = data.draw(st.sampled_from(["remove", "replace", "add"]))
    if how == "remove":
        del holder[path[-1]]
    elif how == "replace":
        holder[path[-1]] = data.draw(plain.map(lambda value: json.loads(json.dumps(value))))
    elif isinstance(holder, dict):
        holder["unheard-of"] = 1
    text = json.dumps(changed)
    try:
        Pipeline.from_definition(project.workspace, parse(text))
    except MlstepsException as error:
        assert str(error)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("version",), 2, "This is version 2 of a pipeline-definition"),
        (("kind",), "x", "found a document of kind 'x'"),
        (("order",), [[0, 9]], r"order: expected pairs of positions of steps, found \[0, 9\]"),
        (("steps", 0, "type"), "OwnStep", "type of step 'OwnStep' is unknown"),
        (("steps", 0, "code"), None, "step 'made' of a definition lacks its code"),
        (("objects", 0, "kind"), "Own", r"objects\[0\]: the kind 'Own' is unknown"),
        (("steps", 0, "more"), 1, r"steps\[0\]: unknown field 'more'"),
        (("steps", 0, "arguments", "outputs"), [{"ref": 99}], "there is no object 99"),
    ],
)
def test_a_wrong_field_is_named(project: Project, document: Any, path: Any, value: Any, told: str) -> None:
    changed = json.loads(json.dumps(document))
    _at(changed, path[:-1])[path[-1]] = value
    with pytest.raises(MlstepsException, match=told):
        Pipeline.from_definition(project.workspace, parse(json.dumps(changed)))

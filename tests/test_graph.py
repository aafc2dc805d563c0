"""The graph of a pipeline's steps: what it pulls in, how it is ordered, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG

from mlsteps import OutputFileDatasetConfig, PipelineData, PipelineParameter, StepSequence
from mlsteps.exceptions import PipelineParameterError, PipelineValidationError
from mlsteps.graph import Graph
from steps.project import Project


def names(graph: Graph) -> list[str]:
    return [step.name for step in graph.steps]


def order(graph: Graph) -> set[tuple[str, str]]:
    return {(edge.before.name, edge.after.name) for edge in graph.edges}


@pytest.mark.parametrize(
    "read",
    [
        lambda data: {"inputs": [data]},
        lambda data: {"inputs": [data.as_input("x")]},
        lambda data: {"inputs": [data.as_download("x")]},
        lambda data: {"inputs": [data.as_mount("x")]},
    ],
)
@pytest.mark.parametrize("make_first", [True, False])
def test_last_step_brings_what_it_needs_through_pipeline_data(
    project: Project, read: Any, make_first: bool
) -> None:
    data = PipelineData("data")
    if make_first:
        project.step("make", outputs=[data])
        last = project.step("last", **read(data))
    else:
        last = project.step("last", **read(data))
        project.step("make", outputs=[data])
    graph = Graph([last])
    assert names(graph) == ["make", "last"]
    assert order(graph) == {("make", "last")}
    assert {edge.data for edge in graph.edges} == {last.input_ports[0].name}


@pytest.mark.parametrize(
    "read",
    [
        lambda data: {"inputs": [data.as_input("x")]},
        lambda data: {"inputs": [data.as_input("x").as_download()]},
        lambda data: {"inputs": [data]},
        lambda data: {"arguments": ["--x", data.as_input()]},
    ],
)
def test_last_step_brings_what_it_needs_through_output_configurations(project: Project, read: Any) -> None:
    data = OutputFileDatasetConfig("data")
    project.step("make", arguments=[data.as_upload()])
    assert names(Graph(project.step("last", **read(data)))) == ["make", "last"]


def test_closure_goes_on_through_data_and_run_after(project: Project) -> None:
    one, two = PipelineData("one"), OutputFileDatasetConfig("two")
    first = project.step("first")
    second = project.step("second", outputs=[one])
    second.run_after(first)
    project.step("third", inputs=[one], outputs=[two])
    last = project.step("last", inputs=[two.as_input()])
    project.step("unrelated", inputs=[one])
    graph = Graph([last])
    assert names(graph) == ["first", "second", "third", "last"]
    assert graph.nodes == graph.steps
    with pytest.raises(PipelineValidationError, match="'last' needs step 'third', which was not given"):
        Graph([last], resolve_closure=False)


def test_data_stands_for_the_step_that_makes_it(project: Project) -> None:
    one, two = PipelineData("one"), OutputFileDatasetConfig("two")
    project.step("make", outputs=[one, two])
    assert names(Graph([one, two])) == names(Graph(two)) == ["make"]
    with pytest.raises(PipelineValidationError, match=r"PipelineData\('nobody'\) is made by no step"):
        Graph(PipelineData("nobody"))


def test_list_sets_no_order_and_a_step_given_twice_is_one(project: Project) -> None:
    a, b, c = (project.step(name) for name in "abc")
    graph = Graph([a, [b, [c, a]]])
    assert names(graph) == ["a", "b", "c"]
    assert not graph.edges
    assert not Graph([]).steps


def test_two_steps_of_one_name_are_two(project: Project) -> None:
    assert names(Graph([project.step("a"), project.step("a")])) == ["a", "a"]


def test_sequences_as_sdk_v1_has_them(project: Project) -> None:
    a, b, c, d = (project.step(name) for name in "abcd")
    assert order(Graph(StepSequence([[a, b], c]))) == {("a", "c"), ("b", "c")}
    assert order(Graph(StepSequence([a, [b, c], d]))) == {("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")}
    assert order(Graph([a, [b, c], d])) == set()
    assert order(Graph([StepSequence([a, b]), StepSequence([c, d])])) == {("a", "b"), ("c", "d")}
    nested = StepSequence([StepSequence([a, b]), StepSequence([c, d])])
    assert order(Graph(nested)) == {("a", "b"), ("c", "d"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")}
    assert order(Graph(StepSequence([a, [StepSequence([b, c])], d]))) == {
        ("a", "b"), ("a", "c"), ("b", "c"), ("b", "d"), ("c", "d"),
    }  # fmt: skip
    assert len(nested) == 2
    assert list(StepSequence(steps=[a, b])) == [a, b]
    assert order(Graph(StepSequence())) == set()


def test_cycles_are_told_step_by_step(project: Project) -> None:
    x, y = PipelineData("x"), PipelineData("y")
    a = project.step("a", inputs=[x], outputs=[y])
    b = project.step("b", inputs=[y], outputs=[x])
    with pytest.raises(PipelineValidationError, match="cycle: 'a' after 'b' after 'a'"):
        Graph([a, b])
    own = PipelineData("own")
    with pytest.raises(PipelineValidationError, match="cycle: 'c' after 'c'"):
        Graph(project.step("c", inputs=[own], outputs=[own]))
    d, e = project.step("d"), project.step("e")
    d.run_after(e)
    e.run_after(d)
    with pytest.raises(PipelineValidationError, match="form a cycle"):
        Graph(d)
    data = PipelineData("data")
    f, g = project.step("f", outputs=[data]), project.step("g", inputs=[data])
    with pytest.raises(PipelineValidationError, match="form a cycle"):
        Graph(StepSequence([g, f]))
    with pytest.raises(PipelineValidationError, match="form a cycle"):
        Graph(StepSequence([f, f]))


def test_output_of_two_given_steps_is_refused(project: Project) -> None:
    for data in (PipelineData("data"), OutputFileDatasetConfig("data")):
        one, two = project.step("one", outputs=[data]), project.step("two", outputs=[data])
        with pytest.raises(
            PipelineValidationError, match="Step 'two', argument 'outputs': 'data' .* of step 'one'"
        ):
            Graph([one, two])


def test_last_of_several_makers_counts(project: Project) -> None:
    data = PipelineData("data")
    project.step("old", outputs=[data])
    project.step("new", outputs=[data])
    assert names(Graph(project.step("last", inputs=[data]))) == ["new", "last"]


def test_given_maker_counts_before_one_that_was_not_given(project: Project) -> None:
    data = PipelineData("data")
    given = project.step("given", outputs=[data])
    project.step("later", outputs=[data])
    assert names(Graph([given, project.step("last", inputs=[data])])) == ["given", "last"]


def test_input_that_nobody_makes_is_refused(project: Project) -> None:
    step = project.step("a", inputs=[PipelineData("data")])
    with pytest.raises(
        PipelineValidationError, match="Step 'a', argument 'inputs': 'data' is made by no step"
    ):
        Graph([step])


@pytest.mark.parametrize("value", ["a.py", 3, None, {"a": 1}, (), object()])
def test_what_is_no_step_is_refused(value: Any) -> None:
    with pytest.raises(PipelineValidationError, match="Can not add object of type"):
        Graph([value])


def test_step_of_a_dag_is_refused(project: Project) -> None:
    with DAG("taken"):
        step = project.step("a")
    with pytest.raises(PipelineValidationError, match="Step 'a' belongs to DAG 'taken' already"):
        Graph(step)


def test_pipeline_output_names_are_unique(project: Project) -> None:
    steps = [
        project.step(name, outputs=[PipelineData("data", pipeline_output_name="result")])
        for name in ("a", "b")
    ]
    with pytest.raises(
        PipelineValidationError, match="Step 'b', .* name 'result' is already used by step 'a'"
    ):
        Graph(steps)


def test_parameters_are_collected_and_must_agree(project: Project) -> None:
    shared = PipelineParameter("shared", 1)
    one = project.step("one", arguments=[shared, PipelineParameter("own", "x")])
    two = project.step("two", params={"s": shared})
    assert sorted(Graph([one, two]).params) == ["own", "shared"]
    three = project.step("three", arguments=[PipelineParameter("shared", True)])
    with pytest.raises(
        PipelineParameterError, match="'shared' has the default 1 in step 'one' and True in step 'three'"
    ):
        _ = Graph([one, three]).params
    four = project.step("four", arguments=[PipelineParameter("shared", 1, maximum=5)])
    with pytest.raises(PipelineParameterError, match="other choices, minimum or maximum in step 'one'"):
        _ = Graph([one, four]).params


def test_drawing_shows_steps_and_data(project: Project) -> None:
    data = PipelineData("data")
    make, use = project.step("make ", outputs=[data]), project.step("use", inputs=[data])
    after = project.step('say "hi" [x]')
    after.run_after(use)
    drawing = Graph([use, after]).to_mermaid().splitlines()
    assert drawing[0] == "flowchart LR"
    assert '  s0["make"]' in drawing
    assert "  s0 -->|data| s1" in drawing
    assert "  s1 --> s2" in drawing
    assert '"say #quot;hi#quot; [x]"' in drawing[3]
    assert make.name == "make "


def test_many_steps_take_no_time(project: Project) -> None:
    project.script("a.py")
    from mlsteps import PythonScriptStep

    last = None
    for number in range(1500):
        step = PythonScriptStep("a.py", str(number), source_directory=project.source)
        if last is not None:
            step.run_after(last)
        last = step
    assert len(Graph(last).steps) == 1500

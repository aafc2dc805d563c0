"""The drawing of a graph: every node stands once, and its rails are the edges."""

from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.cli.drawing import draw

RAILS = set("●│├┴┼╯┬╮─/\\ ")

Graph = tuple[list[str], dict[str, list[str]]]


@st.composite
def graphs(draw_from: st.DrawFn) -> Graph:
    """Nodes in an order that fits, and the nodes after each."""
    count = draw_from(st.integers(0, 9))
    order = [f"node{number}" for number in range(count)]
    after: dict[str, list[str]] = {}
    for number, node in enumerate(order):
        later = order[number + 1 :]
        if later:
            after[node] = draw_from(st.lists(st.sampled_from(later), max_size=4, unique=True))
    return order, after


@given(graphs())
def test_every_node_stands_on_one_line_and_has_a_dot_there(graph: Graph) -> None:
    order, after = graph
    lines = draw(order, after)
    assert [node for _, node in lines if node is not None] == order
    for line, node in lines:
        assert line.count("●") == (node is not None)
        assert set(line) <= RAILS
        assert line == line.rstrip()


@given(graphs())
def test_beside_a_node_there_is_a_rail_for_each_edge_that_passes_it(graph: Graph) -> None:
    order, after = graph
    edges = [(order.index(one), order.index(other)) for one in after for other in after[one]]
    numbers = {node: number for number, node in enumerate(order)}
    for line, node in draw(order, after):
        if node is not None:
            passing = sum(one < numbers[node] < other for one, other in edges)
            assert line.split() == ["●" if mark == "●" else "│" for mark in line.split()]
            assert line.split().count("│") == passing


@given(graphs())
def test_above_a_node_there_is_a_rail_for_each_edge_from_further_up(graph: Graph) -> None:
    order, after = graph
    edges = [(order.index(one), order.index(other)) for one in after for other in after[one]]
    lines = draw(order, after)
    for number, (line, node) in enumerate(lines):
        if node is None and number + 1 < len(lines) and "╯" in line:
            following = order.index(str(lines[number + 1][1]))
            crossing = sum(one < following <= other for one, other in edges)
            assert len(line.replace("─", " ").split()) == crossing


@given(graphs())
def test_the_same_graph_is_drawn_in_the_same_way_whatever_the_nodes_are_called(graph: Graph) -> None:
    order, after = graph
    again = draw([f"x{n}" for n in order], {f"x{n}": [f"x{o}" for o in a] for n, a in after.items()})
    assert [line for line, _ in again] == [line for line, _ in draw(order, after)]


@pytest.mark.parametrize(
    ("order", "after", "expected"),
    [
        ("", {}, ""),
        ("a", {}, "● a"),
        (
            "abc",
            {"a": "b", "b": "c"},
            """\
            ● a
            ● b
            ● c""",
        ),
        (
            "abcd",
            {"a": "bc", "b": "d", "c": "d"},
            """\
            ● a
            ├─╮
            ● │ b
            │ ● c
            ├─╯
            ● d""",
        ),
        (
            "abc",
            {"a": "c", "b": "c"},
            """\
            ● a
            │ ● b
            ├─╯
            ● c""",
        ),
        (
            "abcd",
            {"a": "bcd"},
            """\
            ● a
            ├─┬─╮
            ● │ │ b
              / /
            ● │ c
              /
            ● d""",
        ),
        (
            "abcde",
            {"a": "bc", "b": "de", "c": "e"},
            """\
            ● a
            ├─╮
            ● │ b
            ├─╮ \\
            │ │ ● c
            ● │ │ d
              / /
            ├─╯
            ● e""",
        ),
        (
            "abcd",
            {"a": "cd", "b": "c"},
            """\
            ● a
            ├─╮
            │ │ ● b
            ├─┼─╯
            ● │ c
              /
            ● d""",
        ),
        (
            "abcde",
            {"a": "d", "b": "d", "c": "e"},
            """\
            ● a
            │ ● b
            │ │ ● c
            ├─╯ /
            ● │ d
              /
            ● e""",
        ),
    ],
    ids=[
        "nothing",
        "one",
        "chain",
        "diamond",
        "two roots",
        "ends in the middle",
        "a fork beside a rail",
        "a rail is crossed",
        "a join beside a rail",
    ],
)
def test_drawings(order: str, after: dict[str, str], expected: str) -> None:
    lines = draw(list(order), {node: list(nodes) for node, nodes in after.items()})
    text = "\n".join(f"{line} {node}" if node else line for line, node in lines)
    assert text == dedent(expected)


def test_an_edge_that_is_told_twice_is_one_rail() -> None:
    assert draw(["a", "b"], {"a": ["b", "b"]}) == draw(["a", "b"], {"a": ["b"]})

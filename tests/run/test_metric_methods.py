from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlsteps.exceptions import UserErrorException
from mlsteps.run import Run
from mlsteps.run.protocol import Event

Read = Callable[..., list[Event]]


def numbers() -> Iterator[int]:
    yield 1


def test_log(run: Run, journal: Read) -> None:
    run.log("loss", 0.5, description="of training", step=3)
    run.log("loss", 0.25)
    run.log("best", "tree")
    assert run.get_metrics() == {"loss": [0.5, 0.25], "best": "tree"}
    assert run.get_metrics("best") == {"best": "tree"}
    assert run.get_metrics("absent") == {}
    event = journal()[0]
    assert (event["description"], event["step"], event["target"]) == ("of training", 3, "self")


@pytest.mark.parametrize("value", [[1], range(2), numbers(), numbers])
def test_log_refuses_lists(run: Run, value: Any) -> None:
    with pytest.raises(UserErrorException, match="log_list"):
        run.log("loss", value)
    assert run.get_metrics() == {}


def test_numbers_that_json_lacks(run: Run, tmp_path: Path) -> None:
    run.log("x", math.inf)
    run.log("x", math.nan)
    assert run.get_metrics()["x"][0] == math.inf
    assert math.isnan(run.get_metrics()["x"][1])
    assert "NaN" not in (tmp_path / "run" / "journal.jsonl").read_text()


def test_odd_values_are_kept_as_text_with_a_warning_at_the_users_line(run: Run) -> None:
    with pytest.warns(UserWarning, match="'x': a tuple is no number") as caught:
        run.log("x", (1, 2))
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning) as caught:
        run.log_list("y", [1, object])
    assert caught[0].filename == __file__
    assert run.get_metrics() == {"x": "(1, 2)", "y": [1, str(object)]}


def test_numpy_warns_of_nothing(run: Run) -> None:
    np = pytest.importorskip("numpy")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.log("x", np.float32(0.5))
        run.log_list("y", np.arange(2))
        run.log_table("t", {"a": np.zeros(2), "b": [np.int8(1), None]})
        run.log_row("r", a=np.float64(1))
    assert run.get_metrics() == {
        "x": 0.5,
        "y": [0, 1],
        "t": {"a": [0.0, 0.0], "b": [1, None]},
        "r": {"a": 1.0},
    }


def test_log_list(run: Run) -> None:
    run.log_list("a", [1, 2])
    run.log_list("b", (number for number in range(1)))
    run.log_list("c", [])
    assert run.get_metrics() == {"a": [1, 2], "b": 0, "c": []}
    with pytest.raises(UserErrorException, match=r"Use log\(\)"):
        run.log_list("d", 3)


def test_log_row(run: Run) -> None:
    run.log_row("scores", "by model", model="tree", auc=0.7)
    assert run.get_metrics() == {"scores": {"model": "tree", "auc": 0.7}}
    run.log_row("scores", model="forest", auc=0.8)
    assert run.get_metrics() == {"scores": {"model": ["tree", "forest"], "auc": [0.7, 0.8]}}
    with pytest.raises(UserErrorException, match="log_table"):
        run.log_row("scores", auc=[1, 2])
    with pytest.raises(UserErrorException, match="columns"):
        run.log_row("scores")


def test_a_row_may_have_a_column_called_kind(run: Run) -> None:
    run.log_row("r", kind="a", value=1, target="t")
    assert run.get_metrics() == {"r": {"kind": "a", "value": 1, "target": "t"}}


def test_log_table(run: Run) -> None:
    run.log_table("t", {"x": [1, 2], "y": range(2)})
    run.log_table("one", {"x": 1, "y": "a"})
    assert run.get_metrics() == {"t": {"x": [1, 2], "y": [0, 1]}, "one": {"x": 1, "y": "a"}}


@pytest.mark.parametrize("value", [{"x": [1], "y": [1, 2]}, {"x": [1], "y": 1}, {}, [1]])
def test_log_table_refuses(run: Run, value: Any) -> None:
    with pytest.raises(UserErrorException, match="Metric 't'"):
        run.log_table("t", value)


@pytest.mark.parametrize("method", ["confusion_matrix", "accuracy_table", "residuals", "predictions"])
def test_charts(run: Run, journal: Read, method: str) -> None:
    log = getattr(run, f"log_{method}")
    log("a", {"schema_type": method, "data": {"x": [1, math.nan]}})
    log("b", '{"schema_type": "t"}')
    assert [event["kind"] for event in journal()] == [method, method]
    assert run.get_metrics()["b"] == {"schema_type": "t"}
    assert run.get_metrics()["a"]["data"]["x"][0] == 1
    for wrong in ("{", "[1]", 3):
        with pytest.raises(UserErrorException, match="JSON"):
            log("c", wrong)


class Plot:
    def savefig(self, target: Any, format: str) -> None:
        target.write(b"\x89PNG " + format.encode())


def test_log_image_of_a_plot(run: Run, journal: Read, tmp_path: Path) -> None:
    run.log_image("roc curve: 1", plot=Plot(), description="d")
    run.log_image("roc curve: 1", plot=Plot())
    names = run.get_metrics()["roc curve: 1"]
    assert len(set(names)) == 2
    assert all(name.startswith("roc curve_ 1_") and name.endswith(".png") for name in names)
    assert sorted(names) == run.get_file_names()
    upload = journal("upload")[0]
    assert (tmp_path / "run" / upload["path"]).read_bytes() == b"\x89PNG png"
    assert upload["size"] == 8


def test_log_image_of_a_file(run: Run) -> None:
    Path("roc.jpg").write_bytes(b"jpg")
    run.log_image("../plots/roc", path="roc.jpg")
    assert run.get_metrics()["../plots/roc"].startswith("_/plots/roc_")
    assert run.get_metrics()["../plots/roc"].endswith(".jpg")


def test_log_image_refuses(run: Run) -> None:
    for wrong in ({}, {"path": "a", "plot": Plot()}, {"path": "absent.png"}, {"plot": "text"}):
        with pytest.raises(UserErrorException):
            run.log_image("roc", **wrong)
    assert run.get_metrics() == {}


def test_matplotlib(run: Run) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.plot([1, 2])
    run.log_image("line", plot=plt)
    run.log_image("figure", plot=plt.gcf())
    assert len(run.get_file_names()) == 2


def test_the_parents_metrics_hold_those_of_earlier_steps(run: Run) -> None:
    assert run.parent is not None
    run.parent.log("rows", 8)
    run.log("rows", 1)
    assert run.parent.get_metrics() == {"rows": [7, 8]}
    assert run.get_metrics() == {"rows": 1}

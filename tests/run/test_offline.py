from __future__ import annotations

import io
import pickle
from pathlib import Path

import pytest

from mlsteps.exceptions import ModelPathNotFoundException, UserErrorException
from mlsteps.run import Run, _OfflineRun


@pytest.fixture
def run() -> Run:
    return Run.get_context()


def test_who_it_is(run: Run) -> None:
    assert isinstance(run, _OfflineRun)
    assert run.id.startswith("OfflineRun_")
    assert Run.get_context() is run
    assert _OfflineRun().id != run.id
    assert _OfflineRun(run_id="x").id == "x"
    assert run.experiment.name == "offline"
    assert pickle.loads(pickle.dumps(run)) == run


def test_metrics_print_and_stay(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.log("loss", 0.5, step=1)
    run.log("loss", 0.25)
    run.log_row("r", a=1)
    assert run.parent is not None
    run.parent.log("auc", 0.7)
    assert run.get_metrics() == {"loss": [0.5, 0.25], "r": {"a": 1}}
    assert run.parent.get_metrics() == {"auc": 0.7}
    assert capsys.readouterr().out.splitlines() == [
        "[offline run] loss = 0.5 (step 1)",
        "[offline run] loss = 0.25",
        "[offline run] r = {'a': 1}",
        "[offline run] parent: auc = 0.7",
    ]


def test_long_values_are_printed_shortened(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.log_list("many", range(10_000))
    assert len(capsys.readouterr().out) < 300
    assert run.get_metrics()["many"] == list(range(10_000))


def test_the_parent_is_offline_too(run: Run) -> None:
    parent = run.parent
    assert isinstance(parent, _OfflineRun)
    assert parent.id.startswith("OfflineRun")
    parent.tag("a", 1)
    parent.add_properties({"p": 1})
    parent.cancel()
    assert (parent.tags, parent.properties, parent.status) == ({"a": "1"}, {"p": "1"}, "Canceled")
    assert (run.tags, run.properties, run.status) == ({}, {}, "Running")


def test_files_stay_where_they_are(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    Path("outputs").mkdir()
    Path("outputs/a").write_text("a")
    Path("m").write_text("m")
    run.upload_file("model", "m")
    run.upload_file("model", "m")  # trying a script again is no mistake
    run.upload_folder("all", "outputs")
    run.upload_files(["n"], ["m"])
    run.upload_file("stream", io.BytesIO(b"x"))
    assert run.get_file_names() == ["all/a", "model", "n", "outputs/a"]
    run.download_file("model", "copy")
    assert Path("copy").read_text() == "m"
    with pytest.raises(UserErrorException, match="no file 'absent'"):
        run.upload_file("x", "absent")
    assert "[offline run] upload model (not copied)" in capsys.readouterr().out
    assert sorted(path.name for path in Path(".").iterdir()) == ["copy", "m", "outputs"]


def test_models(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    Path("outputs").mkdir()
    Path("outputs/m").write_text("m")
    assert run.register_model("churn", "outputs/m").id == "churn:1"
    assert "model churn:1 from outputs/m (not registered)" in capsys.readouterr().out
    with pytest.raises(ModelPathNotFoundException):
        run.register_model("churn")


def test_there_are_no_datasets(run: Run) -> None:
    assert len(run.input_datasets) == 0
    for datasets in (run.input_datasets, run.output_datasets):
        with pytest.raises(KeyError, match="runs by hand"):
            datasets["raw"]


def test_the_rest_works(run: Run) -> None:
    with run:
        run.flush()
        run.set_tags({"a": 1})
        run.remove_tags("a")
        child = run.child_run("c")
        child.log("x", 1)
        (again,) = run.get_children()
    assert again == child
    assert isinstance(child, _OfflineRun)
    assert child.parent is run
    assert run.get_metrics(recursive=True) == {child.id: {"x": 1}}
    assert run.status == "Completed"
    run.fail(ValueError("x"))
    assert run.get_details()["status"] == "Failed"
    assert run.get_portal_url() is None

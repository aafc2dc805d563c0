from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlsteps.exceptions import ModelPathNotFoundException, UserErrorException
from mlsteps.run import Model, Run
from mlsteps.run.protocol import Event

Read = Callable[..., list[Event]]


@pytest.fixture(autouse=True)
def files() -> None:
    Path("outputs/net").mkdir(parents=True)
    Path("outputs/net/weights").write_text("w")
    Path("model.pkl").write_text("m")


def test_register_model(run: Run, journal: Read) -> None:
    model = run.register_model(
        "churn",
        "./outputs/net/",
        tags={"auc": 0.7},
        properties={"p": 1},
        model_framework="ScikitLearn",
        model_framework_version="1.2",
        description="d",
        datasets=[("training", SimpleNamespace(name="raw"))],
        sample_input_dataset=SimpleNamespace(id="17"),
        resource_configuration=SimpleNamespace(cpu=1, memory_in_gb=0.5),
    )
    assert isinstance(model, Model)
    assert (model.name, model.version, model.id) == ("churn", 5, "churn:5")
    assert (model.tags, model.properties, model.description) == ({"auc": "0.7"}, {"p": "1"}, "d")
    assert (model.model_framework, model.model_framework_version) == ("ScikitLearn", "1.2")
    assert (model.path, model.run_id, model.experiment_name) == ("outputs/net", run.id, "churn")
    (event,) = journal("model")
    del event["time"]
    assert event == {
        "event": "model",
        "target": "self",
        "name": "churn",
        "path": "outputs/net",
        "version": 5,
        "tags": {"auc": "0.7"},
        "properties": {"p": "1"},
        "description": "d",
        "framework": "ScikitLearn",
        "framework_version": "1.2",
        "datasets": [["training", "raw"]],
        "sample_input_dataset": "17",
        "sample_output_dataset": None,
        "resource_configuration": {"cpu": 1, "memory_in_gb": 0.5, "gpu": None},
    }


def test_versions_count_on(run: Run) -> None:
    run.upload_file("new", "model.pkl")
    assert run.parent is not None
    run.parent.upload_file("new", "model.pkl")
    assert [run.register_model("new").version, run.parent.register_model("new").version] == [1, 2]
    assert run.register_model("churn", "new").version == 5
    assert run.register_model("churn", "new").version == 6


def test_the_path_must_be_among_the_runs_files(run: Run) -> None:
    with pytest.raises(
        ModelPathNotFoundException, match=r"'model.pkl'.* upload it first.* 'outputs/net/weights'"
    ):
        run.register_model("m", "model.pkl")
    with pytest.raises(ModelPathNotFoundException, match="'churn'"):
        run.register_model("churn")
    with pytest.raises(ModelPathNotFoundException, match="none yet"):
        assert run.parent is not None
        run.parent.register_model("m", "outputs/net")
    with pytest.raises(UserErrorException):
        run.register_model("")


def test_unknown_arguments_are_ignored_aloud(run: Run) -> None:
    with pytest.warns(UserWarning, match="asset_id"):
        run.register_model("m", "outputs", asset_id="x")


def test_a_registered_model_says_what_it_cannot_do_yet(run: Run) -> None:
    with pytest.raises(AttributeError, match="'download' yet"):
        run.register_model("m", "outputs").download()  # type: ignore[attr-defined]

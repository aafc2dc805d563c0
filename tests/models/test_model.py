"""Registered models, found, downloaded and labelled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlsteps import Model, Pipeline, Workspace
from mlsteps.exceptions import ModelNotFoundException, UserErrorException
from processes import at_once
from steps.project import Project


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(folder=tmp_path / "ws")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.bin"
    path.write_bytes(b"weights")
    return path


def register(workspace: Workspace, file: Path, name: str = "m", **options: Any) -> Model:
    return Model.register(workspace, file, name, **options)


def test_a_file_is_registered_found_and_downloaded(workspace: Workspace, file: Path, tmp_path: Path) -> None:
    made = register(
        workspace,
        file,
        tags={"a": 1},
        properties={"b": 2},
        description="words",
        datasets=[("training", "rows"), ("training", "more")],
        model_framework=Model.Framework.SCIKITLEARN,
        model_framework_version="1.4",
    )
    file.unlink()
    found = Model(workspace, "m")
    assert repr(found) == repr(made) == "Model(name='m', version=1, tags={'a': '1'})"
    assert (found.id, found.description, found.properties) == ("m:1", "words", {"b": "2"})
    assert (found.model_framework, found.model_framework_version) == ("ScikitLearn", "1.4")
    assert found.datasets == {"training": ["rows", "more"]}
    assert (found.run_id, found.run, found.experiment_name) == ("", None, "")
    assert found.created_time.tzinfo is not None
    path = Path(found.download(tmp_path / "here"))
    assert (path, path.read_bytes()) == (tmp_path / "here" / "model.bin", b"weights")
    with pytest.raises(UserErrorException, match="is there already; exist_ok=True"):
        found.download(tmp_path / "here")
    path.write_bytes(b"other")
    assert Path(found.download(tmp_path / "here", exist_ok=True)).read_bytes() == b"weights"
    assert [one.name for one in (tmp_path / "here").iterdir()] == ["model.bin"]


def test_a_folder_or_parts_of_it(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "net"
    (folder / "deep").mkdir(parents=True)
    for name in ("a", "b", "deep/c"):
        (folder / name).write_text(name)
    whole = Path(register(workspace, folder).download(tmp_path / "whole"))
    assert sorted(str(one.relative_to(whole)) for one in whole.rglob("*") if one.is_file()) == [
        "a",
        "b",
        "deep/c",
    ]
    part = Path(register(workspace, folder, child_paths=["a", "deep"]).download(tmp_path / "part"))
    assert sorted(str(one.relative_to(part)) for one in part.rglob("*") if one.is_file()) == ["a", "deep/c"]
    for wrong in ("../ws", "gone"):
        with pytest.raises(UserErrorException, match=f"there is no '{wrong}' below"):
            register(workspace, folder, child_paths=[wrong])
    with pytest.raises(UserErrorException, match="there is no file or folder"):
        register(workspace, tmp_path / "gone")
    with pytest.raises(UserErrorException, match="needs a name"):
        register(workspace, folder, name=" ")
    assert [model.version for model in Model.list(workspace)] == [2, 1]


def test_models_are_found_by_what_is_known_of_them(workspace: Workspace, file: Path) -> None:
    register(workspace, file, tags={"stage": "old"}, datasets=[("training", "rows")])
    register(workspace, file, tags={"stage": "new", "good": "yes"}, model_framework="Onnx")
    register(workspace, file, "other", properties={"p": "1"})

    def ids(**wanted: Any) -> list[str]:
        return [model.id for model in Model.list(workspace, **wanted)]

    assert ids() == ["m:2", "m:1", "other:1"]
    assert ids(latest=True) == ["m:2", "other:1"]
    assert ids(name="m") == ["m:2", "m:1"]
    assert ids(tags=["good"]) == ids(tags=["good", ["stage", "new"]]) == ids(tags={"stage": "new"}) == ["m:2"]
    assert ids(tags=[["stage", "old"]], latest=True) == ids(dataset_id="rows") == ["m:1"]
    assert ids(properties=[("p", "1")]) == ["other:1"]
    assert ids(model_framework="Onnx") == ["m:2"]
    assert ids(tags=["nothing"]) == ids(run_id="r") == []
    assert Model(workspace, "m", version=1).id == Model(workspace, id="m:1").id == "m:1"
    assert Model(workspace, "m", tags=[["stage", "old"]]).version == 1
    assert list(workspace.models) == ["m", "other"] and workspace.models["m"].version == 2
    for missing in ({"name": "gone"}, {"name": "m", "version": 3}, {"name": "m", "tags": ["x"]}):
        with pytest.raises(ModelNotFoundException, match="ModelNotFound.*that fits; it has m, other"):
            Model(workspace, **missing)
    with pytest.raises(UserErrorException, match="argument 'tags': expected names"):
        Model.list(workspace, tags=3)
    with pytest.raises(UserErrorException, match="a version is a whole number"):
        Model(workspace, "m", version="new")
    with pytest.raises(UserErrorException, match="give a name"):
        Model(workspace)


def test_labels_change_and_properties_do_not(workspace: Workspace, file: Path) -> None:
    model = register(workspace, file, tags={"a": "1"}, properties={"p": "1"})
    model.add_tags({"b": 2})
    model.update_tags_properties(add_tags={"c": None}, remove_tags=["a"], add_properties={"q": 3})
    model.update(description="better")
    for found in (model, Model(workspace, "m")):
        assert found.tags == {"b": "2", "c": None}
        assert (found.properties, found.description) == ({"p": "1", "q": "3"}, "better")
    model.add_properties({"p": 1})
    with pytest.raises(UserErrorException, match="property 'p' is there, and does not change"):
        model.add_properties({"p": "2"})
    with pytest.raises(UserErrorException, match="only tags and description change"):
        model.update(sample_input_dataset="rows")
    model.update(tags={"only": "this"})
    assert Model(workspace, "m").tags == {"only": "this"}


def test_two_who_change_labels_at_once_both_have_their_way(
    workspace: Workspace, file: Path, tmp_path: Path
) -> None:
    register(workspace, file)
    code = f"Model(Workspace(folder={str(tmp_path / 'ws')!r}), 'm').add_tags({{str(number): 'x'}})"
    at_once("from mlsteps import Model, Workspace", code, tmp_path, count=4)
    assert set(Model(workspace, "m").tags) == set(map(str, range(4)))


def test_a_deleted_model_is_gone_and_its_number_is_not_given_again(workspace: Workspace, file: Path) -> None:
    model = register(workspace, file)
    model.delete()
    assert Model.list(workspace) == [] and list(workspace.models) == []
    with pytest.raises(ModelNotFoundException, match="its files are gone"):
        model.download("never")
    assert not Path("never").exists()
    assert register(workspace, file).version == 2


def test_the_path_of_a_model_is_made_once(
    workspace: Workspace, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    register(workspace, file)
    path = Model.get_model_path("m", _workspace=workspace)
    assert path == "azureml-models/m/1/model.bin"
    before = Path(path).stat()
    assert Model.get_model_path("m", 1, workspace) == path and Path(path).stat() == before


def test_what_a_step_registers_leads_back_to_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path, monkeypatch)
    step = project.step(
        "train",
        """
        from mlsteps.run import Run
        run = Run.get_context()
        open("outputs/model.bin", "w").write("learned")
        rows = [("training", "rows")]
        run.register_model("learned", "outputs/model.bin", tags={"rmse": 0.1}, datasets=rows)
        """,
    )
    run = Pipeline(project.workspace, [step]).submit("learning")
    model = Model(project.workspace, "learned", run_id=run.id)
    assert model.experiment_name == "learning" and model.run is not None and model.run.id == run.id
    (trained,) = run.get_steps()
    assert model.run_id == trained.id and model.datasets == {"training": ["rows"]}
    assert Path(model.download(tmp_path / "here")).read_text() == "learned"


def test_serving_is_not_offered() -> None:
    for name in ("deploy", "package", "profile"):
        with pytest.raises(UserErrorException, match="serves no models"):
            getattr(Model, name)()

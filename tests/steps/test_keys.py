"""The key of a real step: everything that can change its result is in it, and nothing that cannot."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from mlsteps import (
    CondaDependencies,
    DataPath,
    DataPathComputeBinding,
    DataReference,
    Datastore,
    OutputFileDatasetConfig,
    PipelineData,
    PipelineParameter,
    PortDataReference,
    PythonScriptStep,
    RunConfiguration,
    Workspace,
)
from mlsteps.compute import LocalCompute
from mlsteps.data import Producer
from mlsteps.exceptions import DataNotFoundException, SnapshotException
from mlsteps.reuse.key import Key
from mlsteps.steps.keys import KeyedStep, KeyMaker
from mlsteps.steps.resolving import resolve
from steps.project import Project

Parameters = Mapping[str, Any]


@pytest.fixture
def sources(project: Project) -> Project:
    """A project with a script, files beside it, and data."""
    project.script("train.py", "print(1)")
    project.script("common/a.py", "A = 1")
    project.script("notes.log")
    project.script(".amlignore", "*.log\n")
    (project.root / "lib").mkdir()
    (project.root / "lib" / "shared.py").write_text("shared")
    data = project.workspace.config.datastores["workspaceblobstore"].folder / "raw"
    data.mkdir(parents=True)
    (data / "a.csv").write_text("1,2")
    (data / "b.csv").write_text("3,4")
    return project


def raw(project: Project) -> Path:
    return project.workspace.config.datastores["workspaceblobstore"].folder / "raw"


def keyed(
    project: Project,
    parameters: Parameters | None = None,
    upstream: Mapping[str, object] | None = None,
    **options: Any,
) -> KeyedStep:
    """The key of a step that is declared now, in a run with these parameters."""
    declared: dict[str, Any] = {"name": "train", "source_directory": project.source, **options}
    step = PythonScriptStep(declared.pop("script_name", "train.py"), **declared)
    return KeyMaker().key_of(resolve(step, project.workspace, parameters or {}, upstream))


def key(project: Project, parameters: Parameters | None = None, **options: Any) -> Key:
    found = keyed(project, parameters, **options).key
    assert Key.from_plain(found.to_plain()) == found
    return found


def with_variables(**variables: str) -> RunConfiguration:
    made = RunConfiguration()
    made.environment_variables = variables
    return made


def reference(project: Project, path: str, **options: Any) -> DataReference:
    return DataReference(Datastore(project.workspace), "data", path, **options)


class TestNotInTheKey:
    """The name of the work, who does it, and where."""

    @pytest.mark.parametrize(
        "options",
        [
            {"name": "another name"},
            {"task_id": "another_id"},
            {"compute_target": LocalCompute(name="other")},
            {"retries": 3},
            {"allow_reuse": False},
            {"on_reuse": "success"},
            {"reuse_max_age": 60},
            {"reuse_timeout": 60},
            {"pool": "gpus"},
            {"queue": "gpus"},
            {"priority_weight": 5},
            {"doc_md": "described"},
            {"trigger_rule": "all_success"},
            {"arguments": []},
            {"version": None},
        ],
        ids=", ".join,
    )
    def test_settings_that_decide_whether_and_where(self, sources: Project, options: dict[str, Any]) -> None:
        assert key(sources, **options) == key(sources)

    def test_the_name_of_a_compute_target(self, sources: Project) -> None:
        (sources.folder / "workspace.yaml").write_text(
            "folder: .\ncompute_targets: {small: {type: local}, large: {type: local}}\n"
        )
        sources.workspace = Workspace(folder=sources.folder)
        keys = [key(sources, compute_target=target) for target in (None, "small", "large", "local")]
        assert len(set(keys)) == 1

    def test_the_dag(self, sources: Project) -> None:
        with DAG("one", tags=["a"]):
            one = key(sources)
        with DAG("other", schedule="@daily", default_args={"retries": 2}, tags=["b"]):
            other = key(sources, name="same work")
        assert one == other == key(sources)

    def test_the_target_of_a_run_configuration(self, sources: Project) -> None:
        named, sized = RunConfiguration(), RunConfiguration()
        named.target = "local"
        sized.node_count = 4
        sized.max_run_duration_seconds = 60
        assert key(sources, runconfig=named) == key(sources, runconfig=sized) == key(sources)

    def test_where_and_when_it_was_checked_out(self, sources: Project, tmp_path: Path) -> None:
        options: dict[str, Any] = {"hash_paths": ["../lib/shared.py"]}
        before = key(sources, **options)
        checkout = tmp_path / "elsewhere" / "checkout"
        shutil.copytree(sources.source, checkout)
        shutil.copytree(sources.root / "lib", checkout.parent / "lib")
        for path in (checkout, *checkout.rglob("*"), *checkout.parent.glob("lib/*")):
            os.utime(path, (1, 1))
        (checkout / "empty").mkdir()
        (checkout / "__pycache__").mkdir()
        (checkout / "__pycache__" / "train.cpython-311.pyc").write_bytes(b"1")
        assert key(sources, source_directory=checkout, **options) == before

    def test_the_workspace(self, sources: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = key(sources, inputs=[reference(sources, "raw")], outputs=[PipelineData("made")])
        (tmp_path / "other").mkdir()
        other = Project(tmp_path / "other", monkeypatch)
        shutil.copytree(raw(sources), raw(other))
        after = key(
            other,
            source_directory=sources.source,
            inputs=[reference(other, "raw")],
            outputs=[PipelineData("made")],
        )
        assert after == before

    def test_where_data_lies(self, sources: Project) -> None:
        before = key(sources, inputs=[reference(sources, "raw")])
        place = raw(sources).parent / "else" / "where"
        shutil.copytree(raw(sources), place)
        os.utime(place / "a.csv", (1, 1))
        assert key(sources, inputs=[reference(sources, "else/where")]) == before
        assert key(sources, inputs=[reference(sources, "raw").as_download()]) == before
        filestore = sources.workspace.config.datastores["workspacefilestore"].folder
        shutil.copytree(raw(sources), filestore / "raw")
        given = DataReference(Datastore(sources.workspace, "workspacefilestore"), "data", "raw")
        assert key(sources, inputs=[given]) == before

    def test_the_name_of_a_single_file(self, sources: Project) -> None:
        shutil.copy(raw(sources) / "a.csv", raw(sources) / "2024.copy.CSV")
        one = key(sources, inputs=[reference(sources, "raw/a.csv")])
        assert one == key(sources, inputs=[reference(sources, "raw/2024.copy.CSV")])
        assert one.inputs["data"].suffix == ".csv"

    def test_which_step_made_an_input(self, sources: Project) -> None:
        def made_by(task: str, digest: str) -> Key:
            data = PipelineData("data")
            handed_on = PortDataReference(
                name=f"output_of_{task}",
                workspace=sources.workspace.locator,
                datastore_name="workspaceblobstore",
                path_on_datastore="raw",
                kind="directory",
                number_of_files=2,
                bytes=6,
                digest=digest,
                manifest=f"mlsteps/runs/{task}/manifest.json",
                producer=Producer("dag", f"run of {task}", task, -1, 1),
            )
            with DAG(f"dag_of_{task}"):
                PythonScriptStep("train.py", name=task, source_directory=sources.source, outputs=[data])
                return keyed(sources, upstream={"data": handed_on}, inputs=[data], arguments=[data]).key

        one = made_by("one", f"sha256t:{1:064x}")
        assert made_by("two", f"sha256t:{2:064x}") == one, "the data counts as it is now"
        assert one.inputs["data"] == key(sources, inputs=[reference(sources, "raw")]).inputs["data"]

    def test_files_that_are_ignored(self, sources: Project) -> None:
        before = key(sources)
        sources.script("notes.log", "changed")
        sources.script("new.log")
        assert key(sources) == before

    def test_outputs_that_are_told_apart_by_nobody_but_people(self, sources: Project) -> None:
        before = key(sources, outputs=[PipelineData("data", output_name="port")])
        named = PipelineData("other", output_name="port", pipeline_output_name="best", data_type="x")
        assert key(sources, outputs=[named]) == before


class TestInTheKey:
    """Whatever a script can see of its step."""

    def test_a_script_and_every_file_beside_it(self, sources: Project) -> None:
        seen = {key(sources)}
        for change in (
            lambda: sources.script("train.py", "print(2)"),
            lambda: sources.script("common/a.py", "A = 2"),
            lambda: sources.script("common/new.py", "A = 2"),
            lambda: os.rename(sources.source / "common" / "new.py", sources.source / "common" / "newer.py"),
            lambda: os.symlink("a.py", sources.source / "common" / "link.py"),
            lambda: (sources.source / "train.py").chmod(0o755),
            lambda: sources.script(".amlignore", "*.log\n\n"),
        ):
            change()
            assert key(sources) not in seen
            seen.add(key(sources))

    def test_only_the_executable_bit_of_modes(self, sources: Project) -> None:
        script = sources.source / "train.py"
        script.chmod(0o644)
        before = key(sources)
        script.chmod(0o600)
        assert key(sources) == before
        script.chmod(0o744)
        assert key(sources) != before

    def test_which_script_is_run(self, sources: Project) -> None:
        sources.script("other.py", "print(1)")
        assert key(sources, script_name="other.py") != key(sources)

    def test_further_paths(self, sources: Project) -> None:
        options: dict[str, Any] = {"hash_paths": ["../lib/shared.py", "notes.log", "../lib"]}
        before = key(sources, **options)
        assert before != key(sources)
        assert set(before.hash_paths) == set(options["hash_paths"])
        sources.script("notes.log", "counts, as it is named")
        changed = key(sources, **options)
        assert changed != before
        (sources.root / "lib" / "shared.py").write_text("changed")
        assert key(sources, **options) not in (before, changed)

    def test_a_further_path_that_is_not_there_is_told(self, sources: Project) -> None:
        with pytest.raises(SnapshotException, match=r"'\.\./missing' of hash_paths"):
            key(sources, hash_paths=["../missing"])

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (["--lr", 0.1], ["--lr", 0.2]),
            (["a", "b"], ["b", "a"]),
            (["a", "b"], ["a b"]),
            (["a"], ["a", ""]),
            ([], [""]),
        ],
    )
    def test_arguments_and_their_order(self, sources: Project, one: list[Any], other: list[Any]) -> None:
        assert key(sources, arguments=one) != key(sources, arguments=other)

    def test_parameters_with_their_values_and_types(self, sources: Project) -> None:
        def of(default: Any, value: Any) -> Key:
            return key(sources, {"p": value}, arguments=[PipelineParameter("p", default)])

        keys = [of(1, 1), of(1, 2), of(1.0, 1.0), of("x", "1"), of(True, True), of("x", "True")]
        assert len(set(keys)) == len(keys)
        assert of(5, 1) == keys[0], "the value counts, and not the default"
        assert keys[1].command == ("python", "train.py", "2")
        assert keys[1].parameters == {"p": 2}

    def test_parameters_that_only_the_environment_has(self, sources: Project) -> None:
        def of(value: int) -> Key:
            return key(sources, {"depth": value}, params={"levels": PipelineParameter("depth", 1)})

        assert of(1) != of(2)
        assert of(2).parameters == {"depth": 2, "levels": "2"}

    def test_parameters_that_are_passed_on_under_their_own_name(self, sources: Project) -> None:
        def of(value: Any) -> Key:
            return key(sources, {"p": value}, params={"p": PipelineParameter("p", value)})

        assert len({of(value) for value in (1, "1", True, "True")}) == 4

    def test_a_parameter_that_another_step_uses_does_not(self, sources: Project) -> None:
        assert key(sources, {"elsewhere": 1}) == key(sources, {"elsewhere": 2}) == key(sources)

    def test_values_for_the_environment(self, sources: Project) -> None:
        keys = [key(sources, params=params) for params in (None, {"a": 1}, {"a": 2}, {"b": 1}, {"a": ""})]
        assert len(set(keys)) == len(keys)
        assert key(sources, params={"b": 2, "a": 1}) == key(sources, params={"a": 1, "b": 2})

    def test_environment_variables_by_what_hides_their_values(self, sources: Project) -> None:
        def of(**variables: str) -> Key:
            return key(sources, runconfig=with_variables(**variables))

        secret = of(TOKEN="hunter2")
        keys = [secret, of(TOKEN="hunter3"), of(OTHER="hunter2"), of(TOKEN=""), key(sources)]
        assert len(set(keys)) == len(keys)
        assert of(TOKEN="hunter2") == secret
        assert "hunter2" not in json.dumps(secret.to_plain()) + repr(secret)
        both = of(TOKEN="hunter2", OTHER="hunter2").variables
        assert both["TOKEN"] != both["OTHER"], "equal values do not show as equal"

    def test_parameters_in_environment_variables(self, sources: Project) -> None:
        rate = PipelineParameter("rate", 0.1)

        def of(value: float) -> Key:
            return key(
                sources, {"rate": value}, params={"r": rate}, runconfig=with_variables(RATE=f"<{rate}>")
            )

        assert of(0.1).variables != of(0.2).variables
        assert of(0.1).variables == key(sources, runconfig=with_variables(RATE="<0.1>")).variables

    def test_the_content_of_inputs(self, sources: Project) -> None:
        folder = raw(sources)
        seen = {key(sources, inputs=[reference(sources, "raw")])}
        for change in (
            lambda: (folder / "a.csv").write_text("1,3"),
            lambda: (folder / "c.csv").write_text(""),
            (folder / "b.csv").unlink,
            lambda: (folder / "c.csv").rename(folder / "d.csv"),
        ):
            change()
            now = key(sources, inputs=[reference(sources, "raw")])
            assert now not in seen
            seen.add(now)

    def test_the_suffix_of_a_single_file(self, sources: Project) -> None:
        folder = raw(sources)
        found = {}
        for name in ("x", "x.csv", "x.tsv", "x.csv.gz", "x.v2.csv", "x.tar.csv.gz", ".hidden", "x."):
            (folder / name).write_text("same")
            found[name] = key(sources, inputs=[reference(sources, f"raw/{name}")])
        suffixes = {name: found[name].inputs["data"].suffix for name in found}
        assert suffixes == {
            "x": "",
            "x.csv": ".csv",
            "x.tsv": ".tsv",
            "x.csv.gz": ".csv.gz",
            "x.v2.csv": ".csv",
            "x.tar.csv.gz": ".csv.gz",
            ".hidden": "",
            "x.": "",
        }
        assert len(set(found.values())) == len(set(suffixes.values()))
        (folder / "folder.csv").mkdir()
        (folder / "folder.csv" / "x").write_text("same")
        assert key(sources, inputs=[reference(sources, "raw/folder.csv")]).inputs["data"].suffix == ""

    def test_what_an_input_is_called_and_where_the_script_finds_it(self, sources: Project) -> None:
        store = Datastore(sources.workspace)
        keys = [
            key(sources),
            key(sources, inputs=[reference(sources, "raw")]),
            key(sources, inputs=[DataReference(store, "other", "raw")]),
            key(sources, inputs=[reference(sources, "raw").as_download("here")]),
            key(sources, inputs=[reference(sources, "raw").as_download("there")]),
        ]
        assert len(set(keys)) == len(keys)

    def test_an_input_that_is_not_there_is_told(self, sources: Project) -> None:
        with pytest.raises(DataNotFoundException, match="there is nothing at"):
            key(sources, inputs=[reference(sources, "missing")])

    def test_data_that_a_parameter_points_at(self, sources: Project) -> None:
        shutil.copytree(raw(sources), raw(sources).parent / "copy")
        path = PipelineParameter("path", DataPath(Datastore(sources.workspace), "raw"))
        given = (path, DataPathComputeBinding())

        def of(place: str) -> Key:
            return key(sources, {"path": f"workspaceblobstore/{place}"}, inputs=[given], arguments=[given])

        assert of("raw") == of("copy"), "the data counts, and not the path"
        assert of("raw") != of("raw/a.csv")
        (raw(sources) / "a.csv").write_text("changed")
        assert of("raw") != of("copy")

    @pytest.mark.parametrize(
        "make",
        [
            lambda store: PipelineData("other"),
            lambda store: PipelineData("made", output_name="other"),
            lambda store: PipelineData("made", datastore=store),
            lambda store: PipelineData("made", is_directory=True),
            lambda store: PipelineData("made", is_directory=False),
            lambda store: PipelineData("made", output_mode="upload"),
            lambda store: PipelineData("made", output_mode="upload", output_path_on_compute="x"),
            lambda store: OutputFileDatasetConfig("made"),
            lambda store: OutputFileDatasetConfig("made", (store, "here")),
            lambda store: OutputFileDatasetConfig("made", (store, "there")),
            lambda store: OutputFileDatasetConfig("made", source="here"),
            lambda store: OutputFileDatasetConfig("made").as_upload(),
            lambda store: OutputFileDatasetConfig("made").as_upload(source_globs=["*.csv"]),
        ],
    )
    def test_what_is_declared_of_outputs(
        self, sources: Project, make: Callable[[Datastore], PipelineData | OutputFileDatasetConfig]
    ) -> None:
        store = Datastore(sources.workspace, "workspacefilestore")
        assert key(sources, outputs=[make(store)]) == key(sources, outputs=[make(store)])
        assert key(sources, outputs=[make(store)]) != key(sources, outputs=[PipelineData("made")])
        assert key(sources, outputs=[make(store)]) != key(sources)

    def test_the_default_datastore_of_outputs(self, sources: Project) -> None:
        store = Datastore(sources.workspace, "workspacefilestore")
        declared = key(sources, outputs=[PipelineData("made", store)])
        assert key(sources, outputs=[PipelineData("made")], default_datastore=store) == declared
        default = Datastore(sources.workspace)
        assert key(sources, outputs=[PipelineData("made", default)]) == key(
            sources, outputs=[PipelineData("made")]
        )

    def test_packages(self, sources: Project) -> None:
        def of(*packages: str, python: str | None = None) -> Key:
            asked = CondaDependencies.create(pip_packages=list(packages), python_version=python)
            return key(sources, runconfig=RunConfiguration(conda_dependencies=asked))

        keys = [key(sources), of("six"), of("six==1.16"), of("six", "pandas"), of("six", python="3.9")]
        assert len(set(keys)) == len(keys)
        assert of("Pandas", "six") == of("six", "pandas")
        assert of() == key(sources), "an environment that asks for nothing is the worker's own"

    def test_the_version(self, sources: Project) -> None:
        keys = [key(sources, version=version) for version in (None, "1", "2", "")]
        assert len(set(keys)) == len(keys)


class TestParametersThatDoNotCount:
    """Those that were declared with in_fingerprint=False."""

    BUILD = PipelineParameter("build", "none", in_fingerprint=False)

    def of(self, project: Project, build: str, **options: Any) -> Key:
        return key(project, {"build": build, "build_id": "7"}, **options)

    def check(self, project: Project, **options: Any) -> Key:
        """Another value is no change, and is nowhere in the key."""
        one, other = (self.of(project, build, **options) for build in ("qwertz", "asdfgh"))
        assert one == other
        assert "qwertz" not in json.dumps(one.to_plain())
        assert self.of(project, "", **options) == one
        return one

    def test_as_an_argument(self, sources: Project) -> None:
        found = self.check(sources, arguments=["--build", self.BUILD])
        assert found.parameters == {}
        assert found != key(sources)

    def test_inside_of_a_longer_argument(self, sources: Project) -> None:
        arguments = [f"run-{self.BUILD}/x", self.BUILD]
        found = self.check(sources, arguments=arguments)
        assert found != self.of(sources, "qwertz", arguments=[f"run-{self.BUILD}/y", self.BUILD])

    @pytest.mark.parametrize(("uncounted", "counted"), [("build", "build_id"), ("build_id", "build")])
    def test_beside_one_whose_name_begins_alike(self, sources: Project, uncounted: str, counted: str) -> None:
        a, b = PipelineParameter(uncounted, "x", in_fingerprint=False), PipelineParameter(counted, "y")
        arguments = [a, b, f"{a}{b}", f"{b}-{a}"]

        def of(first: str, second: str) -> Key:
            return key(sources, {uncounted: first, counted: second}, arguments=arguments)

        assert of("1", "v") == of("2", "v")
        assert of("1", "v") != of("1", "w")
        assert of("1", "v").parameters == {counted: "v"}
        assert of("1", "v").command[3] == "v"
        assert of("1", "v").command[5].startswith("v-$")

    @pytest.mark.parametrize("name", ["build", "label"])
    def test_in_params(self, sources: Project, name: str) -> None:
        found = self.check(sources, params={name: self.BUILD})
        assert found.parameters == {name: str(self.BUILD)}

    def test_inside_of_longer_params_and_arguments_that_name_them(self, sources: Project) -> None:
        params = {"label": self.BUILD, "place": f"runs/{self.BUILD}/x"}
        found = self.check(sources, params=params, arguments=["$AML_PARAMETER_place", "$AML_PARAMETER_label"])
        assert found.parameters["place"] == f"runs/{self.BUILD}/x"

    def test_in_environment_variables(self, sources: Project) -> None:
        options = {"arguments": [self.BUILD], "runconfig": with_variables(BUILD=f"b-{self.BUILD}")}
        self.check(sources, **options)
        options["runconfig"] = with_variables(BUILD=f"c-{self.BUILD}")
        assert self.of(sources, "1", **options) != self.check(
            sources, arguments=[self.BUILD], runconfig=with_variables(BUILD=f"b-{self.BUILD}")
        )

    def test_its_name_still_counts(self, sources: Project) -> None:
        other = PipelineParameter("other", "none", in_fingerprint=False)
        assert key(sources, arguments=[other]) != key(sources, arguments=[self.BUILD])


def test_steps_that_share_a_directory_and_environment_have_it_read_once(
    sources: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlsteps.steps import keys

    taken: list[Path] = []
    real = keys.take_snapshot
    monkeypatch.setattr(keys, "take_snapshot", lambda path, cache: taken.append(path) or real(path, cache))
    maker = KeyMaker()

    def of(**options: Any) -> Key:
        step = PythonScriptStep("train.py", source_directory=sources.source, **options)
        return maker.key_of(resolve(step, sources.workspace, {})).key

    assert of() == of(name="other")
    assert of(source_files=["common/"]).code != of().code
    assert taken == [sources.source]


def test_the_files_behind_the_digests_in_a_key_can_be_told(sources: Project) -> None:
    found = keyed(sources, inputs=[reference(sources, "raw")], source_files=["common/"])
    code = found.listing(str(found.key.code))
    assert code is not None and list(code) == ["common/a.py", "train.py"]
    data = found.listing(found.key.inputs["data"].digest)
    assert data is not None and sorted(data) == ["a.csv", "b.csv"]
    assert found.listing("sha256t:unknown") is None

"""The DAG bundle of a workspace: what it shows, how its versions go on, and how long it takes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlsteps import Pipeline, PipelineEndpoint, PipelineParameter, PipelineRun, PublishedPipeline, Workspace
from mlsteps.bundles import WorkspaceDagBundle
from mlsteps.bundles.layout import file_stem
from mlsteps.bundles.manifest import Manifest
from mlsteps.bundles.registry_files import RegistryFiles
from mlsteps.compat import empty_dag_bag
from mlsteps.exceptions import WorkspaceException
from mlsteps.publishing.dag_ids import dag_id_of
from steps.project import Project, edges

Make = Callable[..., WorkspaceDagBundle]


@pytest.fixture
def make(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A bundle as Airflow makes one, on a machine of this name."""

    def made(version: str | None = None, machine: str = "processor") -> WorkspaceDagBundle:
        storage = str(tmp_path / machine)
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", storage)
        bundle = WorkspaceDagBundle(name="ml", version=version, refresh_interval=30)
        bundle.initialize()
        return bundle

    return made


def publish(project: Project, name: str, text: str = "pass", **options: Any) -> PublishedPipeline:
    step = project.step("only", text, arguments=[PipelineParameter("rate", 0.5)])
    return Pipeline(project.workspace, [step]).publish(name, **options)


def dags(bundle: WorkspaceDagBundle) -> dict[str, Any]:
    bag = empty_dag_bag(str(bundle.path))
    assert bag.import_errors == {}
    return dict(bag.dags)


def version_of(bundle: WorkspaceDagBundle) -> str:
    current = bundle.get_current_version()
    return str(getattr(current, "version", current))


@pytest.mark.smoke
def test_what_is_published_becomes_dags(project: Project, make: Make) -> None:
    bundle = make()
    assert dags(bundle) == {}
    first = publish(project, "train", description="trains", version="1.0")
    PipelineEndpoint.publish(project.workspace, "serve all", "one address", first)
    bundle.refresh()
    found = dags(bundle)
    assert sorted(found) == [dag_id_of("endpoint", "serve all"), "published.train"]
    dag = found["published.train"]
    assert (dag.description, dag.dag_display_name, dag.schedule) == ("trains", "train", None)
    assert edges(dag) == {("reuse", "only")}
    assert (dag.params["rate"], dag.is_paused_upon_creation) == (0.5, False)
    assert first.id in dag.doc_md
    assert "`1.0`" in dag.doc_md
    assert Path(dag.fileloc).parent == bundle.path
    assert dag.get_task("only").workspace == Workspace()
    assert sorted(file.suffix for file in bundle.path.iterdir() if file.is_file()) == [
        ".json",
        ".json",
        ".py",
        ".py",
    ]


def test_a_version_stays_as_it_was_on_another_machine(project: Project, make: Make) -> None:
    first = publish(project, "train", "print(1)")
    bundle = make()
    before = version_of(bundle)
    code = dags(bundle)["published.train"].get_task("only").frozen_code
    second = publish(project, "train", "print(2)")
    bundle.refresh()
    after = version_of(bundle)
    now = dags(bundle)["published.train"]
    assert before != after
    assert now.get_task("only").frozen_code.snapshot != code.snapshot
    assert second.id in now.doc_md
    worker = make(before, machine="worker")
    then = dags(worker)["published.train"]
    assert then.get_task("only").frozen_code == code
    assert first.id in then.doc_md
    assert version_of(worker) == before
    assert Path(now.fileloc).name == Path(then.fileloc).name
    worker.refresh()
    assert version_of(worker) == before
    with pytest.raises(WorkspaceException, match="knows no version 'abc'"):
        make("abc", machine="worker")


def test_a_bundle_begins_with_the_newest_or_goes_on_with_what_it_has(
    project: Project, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(project, "one")
    make()
    publish(project, "two")
    assert sorted(dags(make())) == ["published.one", "published.two"]

    def unreachable(self: Workspace) -> None:
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(Workspace, "record_store", unreachable)
    assert len(list(make().path.glob("*.py"))) == 2
    with pytest.raises(ConnectionError):
        make().refresh()
    with pytest.raises(ConnectionError):
        make(machine="another")


def test_versions_are_equal_where_registries_are(project: Project, make: Make) -> None:
    publish(project, "train")
    one, two = make(machine="one"), make(machine="two")
    assert version_of(one) == version_of(two)
    stored = project.workspace.record_store().read(f"mlsteps/dag-bundle-versions/{version_of(one)}.json")
    assert Manifest.parse(stored).version == version_of(one)


def test_disabling_takes_the_next_one_or_pauses(project: Project, make: Make, airflow_db: Path) -> None:
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    def is_paused() -> Any:
        with create_session() as session:
            return session.get(DagModel, "published.train").is_paused

    first, second = publish(project, "train", "print(1)"), publish(project, "train", "print(2)")
    bundle = make()
    with create_session() as session:
        from airflow.models.dagbundle import DagBundleModel

        session.merge(DagBundleModel(name="ml"))
        session.flush()
        session.merge(DagModel(dag_id="published.train", is_paused=False, bundle_name="ml"))
    second.disable()
    bundle.refresh()
    assert first.id in dags(bundle)["published.train"].doc_md
    assert not is_paused()
    first.disable()
    bundle.refresh()
    dag = dags(bundle)["published.train"]
    assert second.id in dag.doc_md
    assert dag.is_paused_upon_creation
    assert is_paused()
    second.enable()
    bundle.refresh()
    assert not is_paused()


def test_an_endpoint_keeps_its_dag(project: Project, make: Make) -> None:
    one, two = publish(project, "one"), publish(project, "two")
    endpoint = PipelineEndpoint.publish(project.workspace, "ep", "", one)
    bundle = make()
    assert one.id in dags(bundle)["endpoint.ep"].doc_md
    endpoint.add_default(two)
    bundle.refresh()
    assert two.id in dags(bundle)["endpoint.ep"].doc_md
    endpoint.archive()
    bundle.refresh()
    assert sorted(dags(bundle)) == ["published.one", "published.two"]


def test_a_run_of_such_a_dag(project: Project, make: Make, run_dag: Callable[..., Any]) -> None:
    published = publish(project, "train", "import sys; assert sys.argv[1:] == ['0.25']")
    shutil.rmtree(project.source)
    dag = dags(make())["published.train"]
    done = run_dag(dag, {"rate": 0.25})
    assert {ti.task_id: str(ti.state) for ti in done.get_task_instances()} == {
        "reuse": "success",
        "only": "success",
    }
    run = PipelineRun.get(project.workspace, done.run_id)
    assert run.properties == {"PipelineId": published.id}
    assert [step.name for step in run.get_graph().steps] == ["only"]
    assert run.publish_pipeline("again", "", "2").graph_id == published.graph_id


def test_names_of_files_and_dags_are_apart() -> None:
    names = ["a b", "a_b", "a.b", "é", "é" * 300, "a" * 300, "--", "a b--0"]
    assert len({dag_id_of("published", name) for name in names}) == len(names)
    ids = [dag_id_of(kind, name) for kind in ("published", "endpoint") for name in names]
    assert all(len(one) <= 250 for one in ids)
    assert len({file_stem(one) for one in ids}) == len(ids)
    assert all(file_stem(one).isidentifier() for one in ids)


def test_a_damaged_definition_breaks_no_other_dag(project: Project, make: Make) -> None:
    published = publish(project, "train")
    path = f"mlsteps/registry/pipelines/{published.id}/definition.json"
    store = project.workspace.record_store()
    store.write(path, b"{}")
    other = publish(project, "other")
    newer = f"mlsteps/registry/pipelines/{publish(project, 'newer').id}/published.json"
    store.write(newer, b'{"version": 99}')
    gone = publish(project, "gone")
    store.delete(f"mlsteps/registry/pipelines/{gone.id}/definition.json")
    bundle = make()
    bag = empty_dag_bag(str(bundle.path))
    assert [dag.doc_md.count(other.id) for dag in bag.dags.values()] == [1]
    assert len(bag.import_errors) == 2
    for error in bag.import_errors.values():
        assert "is missing or damaged: it is not what was published" in error


def test_a_hundred_pipelines_of_twenty_steps_are_refreshed_in_time(project: Project, make: Make) -> None:
    steps = [project.step(f"s{number}") for number in range(20)]
    pipeline = Pipeline(project.workspace, steps)
    definition = pipeline.definition()
    from mlsteps.publishing import publish as publish_definition

    bundle = make()
    for number in range(100):
        publish_definition(project.workspace, definition, f"p{number}", None, None, None)
    started = time.perf_counter()
    bundle.refresh()
    first = time.perf_counter() - started
    started = time.perf_counter()
    bundle.refresh()
    again = time.perf_counter() - started
    print(f"refresh {first:.2f} s, without a change {again:.3f} s")
    assert len(list(bundle.path.glob("*.py"))) == 100
    assert first < 10
    assert again < 1


class FarStore:
    """A double: the project's own store, as if it were on another machine, and counting what is read."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.read_paths: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def local_path(self, path: str) -> None:
        return None

    def read(self, path: str) -> Any:
        self.read_paths.append(path)
        return self._store.read(path)


def test_what_was_read_of_a_store_elsewhere_is_not_read_again(project: Project, tmp_path: Path) -> None:
    publish(project, "one")
    store = FarStore(project.workspace.record_store())
    files = RegistryFiles(store, tmp_path / "kept")  # type: ignore[arg-type]
    paths = [info.path for info in store.list("mlsteps/registry/pipelines")]
    files.fetch([*paths, *paths, "mlsteps/registry/pipelines/none"])
    assert sorted(store.read_paths) == sorted([*paths, "mlsteps/registry/pipelines/none"])
    store.read_paths.clear()
    assert [files.read(path) for path in paths] == [project.workspace.record_store().read(p) for p in paths]
    files.fetch(paths)
    assert store.read_paths == []

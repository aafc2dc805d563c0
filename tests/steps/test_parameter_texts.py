"""Pipeline parameters inside paths, and in names of datasets and compute targets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlsteps import (
    DataReference,
    Dataset,
    DatasetConsumptionConfig,
    Datastore,
    DataTransferStep,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineParameter,
)
from mlsteps.exceptions import StepDefinitionError
from steps.project import Project

COPY = """
    import sys
    from pathlib import Path
    source, target = map(Path, sys.argv[1:3])
    text = "".join(path.read_text() for path in sorted(source.rglob("*")) if path.is_file())
    (target / "out.txt").write_text(text)
"""
customer = PipelineParameter("customer", "acme")
version = PipelineParameter("version", 1)
TRAIN = f"{customer}/{version}/train"
OUT = f"made/{customer}/{version}"


@pytest.fixture
def store(project: Project) -> Datastore:
    store = project.workspace.get_default_datastore()
    for path in ("acme/1", "acme/2", "bolt/1"):
        store.store.write(f"{path}/train/rows.txt", path.encode())
    return store


@pytest.fixture
def run(project: Project) -> Callable[..., dict[str, str]]:
    """Run steps with these values, and tell how each ended."""

    def ends(*steps: Any, **values: Any) -> dict[str, str]:
        finished = project.run(Pipeline(project.workspace, list(steps)).to_dag("texts"), **values)
        return {task.task_id: task.state for task in finished.tasks if task.task_id != "reuse"}

    return ends


def copying(project: Project, store: Datastore, **options: Any) -> Any:
    """A step that copies one parametrised folder to another."""
    source = DataReference(store, "source", TRAIN)
    target = OutputFileDatasetConfig("target", destination=(store, OUT))
    given = {"pipeline_parameters": [customer, version], **options}
    return project.step("copy", COPY, inputs=[source], arguments=[source, target], **given)


@pytest.mark.smoke
def test_paths_of_data_are_those_of_the_run(
    project: Project, store: Datastore, run: Callable[..., Any]
) -> None:
    step = copying(project, store)
    assert run(step) == {"copy": "success"}
    assert store.store.read("made/acme/1/out.txt") == b"acme/1"
    assert run(step, version=2) == {"copy": "success"}
    assert store.store.read("made/acme/2/out.txt") == b"acme/2"
    assert run(step, customer="bolt") == {"copy": "success"}
    assert store.store.read("made/bolt/1/out.txt") == b"bolt/1"
    for values in ({}, {"version": 2}, {"customer": "bolt"}):
        assert run(step, **values) == {"copy": "skipped"}
    assert {"customer", "version"} <= set(Pipeline(project.workspace, [step]).parameters)


def test_where_an_output_goes_counts_even_if_its_parameter_does_not(
    project: Project, store: Datastore, run: Callable[..., Any]
) -> None:
    where = PipelineParameter("where", "one", in_fingerprint=False)
    source = DataReference(store, "source", "acme")
    target = OutputFileDatasetConfig("target", destination=(store, f"to/{where}"))
    step = project.step(
        "copy", COPY, inputs=[source], arguments=[source, target], pipeline_parameters=[where]
    )
    assert run(step) == {"copy": "success"}
    assert run(step, where="two") == {"copy": "success"}
    assert store.store.read("to/two/out.txt")
    assert run(step) == run(step, where="two") == {"copy": "skipped"}


@pytest.mark.parametrize("value", ["..", "a/../../b", "../acme"])
def test_no_value_leads_out_of_the_datastore(
    project: Project, store: Datastore, value: str, run: Callable[..., Any]
) -> None:
    step = copying(project, store, allow_reuse=False)
    finished = project.run(Pipeline(project.workspace, [step]).to_dag("out"), customer=value)
    assert finished.failed
    error = project.record(finished, "copy").error
    assert error is not None and "leaves the datastore" in error and "Step 'copy'" in error


def test_names_of_datasets_are_those_of_the_run(
    project: Project, store: Datastore, run: Callable[..., Any]
) -> None:
    for name in ("acme", "bolt"):
        Dataset.File.from_files((store, f"{name}/1")).register(project.workspace, f"{name}-rows")
    rows = DatasetConsumptionConfig("rows", (project.workspace, f"{customer}-rows"), "mount")
    target = OutputFileDatasetConfig("target").register_on_complete(f"{customer}-copy")
    step = project.step("copy", COPY, arguments=[rows, target], pipeline_parameters=[customer])
    assert run(step) == run(step, customer="bolt") == {"copy": "success"}
    assert run(step, customer="bolt") == {"copy": "skipped"}
    for name in ("acme", "bolt"):
        made = Dataset.get_by_name(project.workspace, f"{name}-copy")
        assert made.version == 1
        (path,) = made.download(str(project.root / name))
        assert Path(path).read_text() == f"{name}/1"


def test_the_compute_target_is_that_of_the_run(project: Project, run: Callable[..., Any]) -> None:
    (project.folder / "workspace.yaml").write_text(
        "compute_targets: {small-cpu: {type: local}, large-cpu: {type: local}}"
    )
    size = PipelineParameter("size", "small", choices=["small", "large", "huge"])
    step = project.step("s", compute_target=f"{size}-cpu", pipeline_parameters=[size], allow_reuse=False)
    named = PipelineParameter("target", "small-cpu")
    other = project.step("t", compute_target=named, allow_reuse=False)
    dag = Pipeline(project.workspace, [step, other]).to_dag("where")
    finished = project.run(dag, size="large", target="local")
    assert not finished.failed
    assert project.record(finished, "s").where["compute"]["name"] == "large-cpu"
    assert project.record(finished, "t").where["compute"]["name"] == "local"
    failed = project.run(Pipeline(project.workspace, [step, other]).to_dag("nowhere"), size="huge")
    error = project.record(failed, "s").error
    assert error is not None and "'huge-cpu' is not a compute target" in error
    assert project.record(failed, "t").where["compute"]["name"] == "small-cpu"
    with pytest.raises(StepDefinitionError, match="'gone' is not a compute target"):
        Pipeline(project.workspace, [project.step("u", compute_target=PipelineParameter("target", "gone"))])


def test_transfers_go_where_the_run_says(project: Project, store: Datastore, run: Callable[..., Any]) -> None:
    copy = DataTransferStep(
        "copy",
        DataReference(store, "source", TRAIN),
        DataReference(store, "target", OUT),
        pipeline_parameters=[customer, version],
    )
    assert run(copy) == run(copy, customer="bolt") == {"copy": "success"}
    for name in ("acme", "bolt"):
        assert store.store.read(f"made/{name}/1/rows.txt") == f"{name}/1".encode()
    assert run(copy, customer="bolt") == {"copy": "skipped"}


def test_a_parameter_that_the_step_does_not_know_is_refused(project: Project, store: Datastore) -> None:
    with pytest.raises(StepDefinitionError, match="argument 'inputs': .*'version'.*pipeline_parameters="):
        copying(project, store, pipeline_parameters=[customer])
    with pytest.raises(StepDefinitionError, match="argument 'compute_target': .*'customer'"):
        project.step("s", compute_target=f"{customer}-cpu")
    with pytest.raises(StepDefinitionError, match="argument 'pipeline_parameters': expected"):
        project.step("s", pipeline_parameters=["customer"])


def test_what_each_run_decides_is_no_asset(project: Project, store: Datastore) -> None:
    step = copying(project, store)
    assert [asset.uri for asset in step.inlets] == []
    assert all("AML_PARAMETER" not in asset.uri for asset in step.outlets)


def test_parameters_in_texts_are_published(project: Project, store: Datastore) -> None:
    size = PipelineParameter("size", "local")
    pipeline = Pipeline(project.workspace, [copying(project, store, compute_target=size)])
    again = Pipeline.from_definition(project.workspace, pipeline.definition())
    assert again.parameters.keys() == pipeline.parameters.keys() == {"customer", "version", "size"}
    (step,) = again.graph.steps
    assert step.input_ports[0].source.path_on_datastore == TRAIN and step.compute_target == str(size)

"""Pipelines in SDK v1's YAML: read as SDK v1 reads them, and written so that they read the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from definitions.conftest import key_of, shape
from mlsteps import (
    CondaDependencies,
    DatabricksCompute,
    DatabricksStep,
    DataPath,
    DataPathComputeBinding,
    DataReference,
    Datastore,
    DataTransferStep,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    PipelineParameter,
    RunConfiguration,
)
from mlsteps.exceptions import PipelineValidationError
from steps.project import Project

WHOLE = """
pipeline:
  description: SamplePipelineFromYaml
  default_compute: local
  parameters:
    NumIterationsParameter: {type: int, default: 40}
    Rate: {type: float}
    DataPathParameter:
      type: datapath
      default: {datastore: workspaceblobstore, path_on_datastore: sample2.txt}
  data_references:
    raw: {datastore: workspaceblobstore, path_on_datastore: in/raw}
    there: {datastore: workspaceblobstore, path_on_datastore: out}
    rows:
      datastore: db
      sql_stored_procedure: dbo.p
      sql_stored_procedure_params: {a: {value: "5", type: Int}}
  steps:
    Train:
      type: PythonScriptStep
      name: train it
      script_name: train.py
      source_directory: src
      allow_reuse: false
      version: 2
      hash_paths: [train.py]
      runconfig: small.runconfig
      arguments: ["--raw", "input:raw_in", "--model", "output:model", "parameter:Rate", "parameter:n", 7]
      parameters:
        n: {source: NumIterationsParameter}
        fixed: text
      inputs:
        raw_in: {source: raw, bind_mode: download, path_on_compute: x/y}
        which: {source: DataPathParameter}
      outputs:
        model: {destination: trained, datastore: workspaceblobstore, bind_mode: mount}
    Copy:
      type: DataTransferStep
      source_data_reference: {model: {source: trained}}
      destination_data_reference: {to: {source: there}}
      destination_reference_type: directory
      compute: adf
      outputs: {_data_transfer_output: {destination: copied}}
    Rows:
      data_transfer_step:
        source_data_reference: {rows: {source: rows}}
        destination_data_reference: {to: {source: there}}
    Show:
      python_script_step:
        name: show
        script_name: show.py
      source_directory: src
      inputs: {c: {source: copied}}
    Spark:
      type: DatabricksStep
      compute: dbx
      notebook_path: /Shared/nb
      notebook_params: {n: {source: NumIterationsParameter}, m: text}
      existing_cluster_id: c-1
      permit_cluster_restart: "True"
      pypi_libraries: [{package: six}]
      inputs: {model: {source: trained}}
"""


@pytest.fixture
def files(project: Project) -> Project:
    project.script("train.py")
    project.script("show.py")
    (project.folder / "workspace.yaml").write_text(
        "compute_targets: {dbx: {type: databricks, databricks_conn_id: d}}\n"
    )
    config = RunConfiguration(conda_dependencies=CondaDependencies.create(pip_packages=["six"]))
    config.save(project.root / "small.runconfig")
    (project.root / "whole.yml").write_text(WHOLE)
    return project


def test_a_whole_file(files: Project) -> None:
    pipeline = Pipeline.load_yaml(files.workspace, files.root / "whole.yml")
    steps = {step.name: step for step in pipeline.graph.steps}
    assert set(steps) == {"train it", "Copy", "Rows", "show", "Spark"}
    assert pipeline.description == "SamplePipelineFromYaml"
    assert {(edge.before.name, edge.after.name) for edge in pipeline.graph.edges} == {
        ("train it", "Copy"),
        ("Copy", "show"),
        ("train it", "Spark"),
    }
    train: Any = steps["train it"]
    assert (train.compute_target, train.allow_reuse, train.version) == ("local", False, "2")
    assert train.arguments == [
        "--raw",
        "$AZUREML_DATAREFERENCE_raw_in",
        "--model",
        "$AZUREML_DATAREFERENCE_model",
        "$AML_PARAMETER_Rate",
        "$AML_PARAMETER_NumIterationsParameter",
        "7",
    ]
    assert train.script_params["fixed"] == "text"
    (raw, which) = train.input_ports
    assert (raw.mode, raw.path_on_compute, raw.source.path_on_datastore) == ("download", "x/y", "in/raw")
    assert which.source.default_value.path_on_datastore == "sample2.txt"
    assert train.output_ports[0].data.datastore.name == "workspaceblobstore"
    assert train.run_configuration.environment.python.conda_dependencies.pip_packages == ["six"]
    assert {
        name: p.default_value for name, p in pipeline.parameters.items() if name != "DataPathParameter"
    } == {
        "NumIterationsParameter": 40,
        "Rate": 0.0,
    }
    copy: Any = steps["Copy"]
    assert (copy.target_kind, copy.destination.path_on_datastore) == ("directory", "out")
    assert steps["Rows"].sql_source.sql_stored_procedure == "dbo.p"  # type: ignore[attr-defined]
    spark: Any = steps["Spark"]
    assert spark.databricks_task.cluster.permit_cluster_restart is True
    assert spark.databricks_task.names == ("n", "m")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps: {}", "wrong.yml: 'pipeline' is missing"),
        ("pipeline: [1]", "wrong.yml, pipeline: expected settings, found"),
        ("pipeline: {stepz: {}}", "'stepz' is not a setting that is known here"),
        ("pipeline: {parameters: {p: {type: text}}}", "'p': the type 'text' is none of"),
        ("pipeline: {parameters: {p: {type: string}}}", "'p': 'default' is missing"),
        ("pipeline: {parameters: {p: {type: int, default: x}}}", "'p': the default 'x' is no int"),
        ("pipeline: {steps: {S: {type: AdlaStep}}}", "'S': the type 'AdlaStep' is none of Python"),
        ("pipeline: {steps: {S: {type: ModuleStep}}}", "'S': either 'name' or 'id' says which module"),
        ("pipeline: {steps: {S: {type: PythonScriptStep}}}", "'S': 'script_name' is missing"),
        (
            "pipeline: {steps: {S: {type: PythonScriptStep, script_name: a.py, source: x}}}",
            "'S': 'source' is not a setting that is known here",
        ),
        (
            "pipeline: {steps: {S: {type: PythonScriptStep, script_name: a.py, arguments: ['input:x']}}}",
            "'S': arguments: there is no input 'x'",
        ),
        (
            "pipeline: {steps: {S: {type: PythonScriptStep, script_name: a.py, inputs: {i: {source: x}}}}}",
            "'i': the source 'x' is not known; there is nothing",
        ),
        (
            "pipeline: {data_references: {d: {path_on_datastore: x}}, steps: {S: {type: DataTransferStep, "
            "source_data_reference: {s: {source: mine}}, destination_data_reference: {d: {source: d}}, "
            "outputs: {_data_transfer_output: {destination: mine}}}}}",
            "'S': it reads what is made of its own output: a cycle",
        ),
        ("{", "cannot be read"),
    ],
)
def test_a_mistake_is_named(project: Project, text: str, told: str) -> None:
    project.script("../a.py")
    (project.root / "wrong.yml").write_text(text)
    with pytest.raises(PipelineValidationError, match=told):
        Pipeline.load_yaml(project.workspace, project.root / "wrong.yml")


def test_what_is_saved_reads_the_same(files: Project, tmp_path: Path) -> None:
    store = Datastore(files.workspace, "workspaceblobstore")
    for name in ("in", "w"):
        folder = files.workspace.config.datastores["workspaceblobstore"].folder / name
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text(name)
    raw, model = DataReference(store, "raw", "in"), PipelineData("model", store)
    rate, where = PipelineParameter("rate", 0.1), PipelineParameter("where", DataPath(store, "w", "where"))
    config = RunConfiguration()
    config.environment_variables = {"A": "b"}
    train = files.step(
        "train",
        inputs=[raw, (where, DataPathComputeBinding("download"))],
        outputs=[model],
        arguments=["--raw", raw, rate, "--out", model, 3],
        params={"seed": 1, "r": rate},
        runconfig=config,
        compute_target="local",
        hash_paths=["train.py"],
    )
    copy = DataTransferStep("copy", model, store.path("out"), "adf", "file")
    show = files.step("show it", inputs=[copy.get_output().as_download("c")], allow_reuse=False)
    spark = DatabricksStep(
        "spark",
        inputs=[model],
        notebook_path="/a",
        notebook_params={"rate": rate},
        num_workers=1,
        compute_target="dbx",
    )
    published = Pipeline(files.workspace, [train, show, spark], "all").publish("saved")
    saved = published.save(str(tmp_path / "there.yml"))
    assert str(files.source) not in Path(saved).read_text()
    read = Pipeline.load_yaml(files.workspace, saved)
    assert shape(read) == shape(published.pipeline())
    assert key_of(read, "train", rate=0.3) == key_of(published.pipeline(), "train", rate=0.3)
    assert published.save(str(tmp_path)) == str(tmp_path / "saved.yml")
    assert yaml.safe_load(Path(saved).read_text())["pipeline"]["description"] == "all"


@pytest.mark.parametrize(
    ("told", "given"),
    [
        ("argument 'retries': the format has no place for it", lambda project: {"retries": 3}),
        (
            "argument 'outputs': the format has no place for OutputFileDatasetConfig",
            lambda project: {"outputs": [OutputFileDatasetConfig("o")]},
        ),
    ],
)
def test_what_the_format_cannot_say_is_an_error(project: Project, told: str, given: Any) -> None:
    published = Pipeline(project.workspace, [project.step("s", **given(project))]).publish("p")
    with pytest.raises(PipelineValidationError, match=f"'p' cannot be saved.*Step 's', {told}"):
        published.save(str(project.root))


def test_order_without_data_and_compute_of_code_cannot_be_said(project: Project) -> None:
    first, second = project.step("first"), project.step("second")
    second.run_after(first)
    published = Pipeline(project.workspace, [second]).publish("p")
    with pytest.raises(PipelineValidationError, match="it starts after 'first'"):
        published.save(str(project.root))
    spark = DatabricksStep("s", notebook_path="/a", num_workers=1, compute_target=DatabricksCompute("made"))
    with pytest.raises(PipelineValidationError, match="'made' was made in code"):
        Pipeline(project.workspace, [spark]).publish("q").save(str(project.root))

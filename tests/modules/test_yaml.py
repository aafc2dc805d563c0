"""Modules in SDK v1's YAML, and the YAML of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from definitions.conftest import key_of, shape
from mlsteps import (
    ModuleStep,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PublishedPipeline,
)
from mlsteps.exceptions import PipelineValidationError, UserErrorException
from mlsteps.runs import PipelineRun
from modules.conftest import scaling
from steps.project import Project

FILE = """
pipeline:
  description: of modules
  default_compute: local
  parameters: {Factor: {type: float, default: 4}}
  data_references: {there: {datastore: workspaceblobstore, path_on_datastore: raw.txt}}
  steps:
    First:
      type: ModuleStep
      name: scale
      version: 1
      parameters: {by: {source: Factor}}
      inputs: {raw: {source: there}}
      outputs: {scaled: {destination: once}}
    Second:
      module:
        id: %s
      inputs: {raw: {source: once, bind_mode: download}}
      arguments: ["input:raw", "output:scaled", 3]
      outputs: {scaled: {destination: twice}}
"""


def test_a_file_names_modules(project: Project, airflow_db: Path) -> None:
    version = scaling(project, arguments=None)
    raw = project.workspace.config.datastores["workspaceblobstore"].folder / "raw.txt"
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_text("10")
    version = scaling(project, module=version.module(), version="10")
    (project.root / "file.yml").write_text(FILE % version.module_id)
    pipeline = Pipeline.load_yaml(project.workspace, project.root / "file.yml")
    steps: dict[str, Any] = {step.name: step for step in pipeline.graph.steps}
    assert list(steps) == ["First", "Second"]
    assert steps["First"].compute_target == "local"
    with pytest.raises(UserErrorException, match="has no parameter 'by'; it has unit"):
        steps["First"].prepared(project.workspace)
    text = (FILE % version.module_id).replace("version: 1", "version: 10")
    (project.root / "file.yml").write_text(text)
    run = Pipeline.load_yaml(project.workspace, project.root / "file.yml").submit("exp")
    (second,) = run.find_step_run("Second")
    assert second.record.error is None
    assert second.record.command[-1] == "3"
    assert project.output(second.record, "scaled").read_text() == "120.0 m"


def test_what_is_saved_names_the_module_and_reads_the_same(project: Project, tmp_path: Path) -> None:
    scaling(project)
    made, scaled = PipelineData("made"), PipelineData("mine")
    make = project.step("make", outputs=[made], arguments=[made])
    step = ModuleStep(
        "scale",
        name="by hand",
        inputs_map={"raw": made},
        outputs_map={"scaled": scaled},
        arguments=["x", made, scaled],
        params={"by": PipelineParameter("factor", 3.0), "unit": "km"},
    )
    show = project.step("show", inputs=[scaled])
    published = Pipeline(project.workspace, [make, step, show]).publish("saved")
    file = Path(published.save(str(tmp_path)))
    written = yaml.safe_load(file.read_text())["pipeline"]["steps"]["by hand"]
    assert written == {
        "type": "ModuleStep",
        "name": "scale",
        "version": "1",
        "inputs": {"raw": {"source": "made", "bind_mode": "mount"}},
        "outputs": {"scaled": {"destination": "mine", "bind_mode": "mount"}},
        "arguments": ["x", "input:raw", "output:scaled"],
        "parameters": {"by": {"source": "factor"}, "unit": "km"},
    }
    read = Pipeline.load_yaml(project.workspace, file)
    assert shape(read) == shape(published.pipeline())


def test_a_run_is_saved_as_it_ran(project: Project, airflow_db: Path, tmp_path: Path) -> None:
    rate = PipelineParameter("rate", 0.5)
    pipeline = Pipeline(project.workspace, [project.step("say", "print(1)", arguments=[rate])], "says it")
    run = pipeline.submit("exp one")
    project.script("say.py", "raise SystemExit(1)")
    file = PipelineRun.get(project.workspace, run.id).save(str(tmp_path))
    assert file == str(tmp_path / "exp one.yml")
    read = Pipeline.load_yaml(project.workspace, file)
    assert read.description == "says it"
    assert shape(read) == shape(pipeline)
    assert (read.graph.steps[0].source_directory / "say.py").read_text() == "print(1)"
    of_publication = pipeline.publish("published").submit(project.workspace, "other")
    assert Path(of_publication.save(str(tmp_path / "x" / "there.yml"))).is_file()
    output = OutputFileDatasetConfig("o")
    text = "import sys; open(sys.argv[1] + '/a', 'w').close()"
    run = Pipeline(project.workspace, [project.step("made", text, arguments=[output])]).submit("exp")
    with pytest.raises(PipelineValidationError, match="'exp' cannot be saved as SDK v1's YAML. Step 'made'"):
        run.save(str(tmp_path))
    assert PublishedPipeline.list(project.workspace)
    assert key_of(read, "say").command[-1] == "0.5"
